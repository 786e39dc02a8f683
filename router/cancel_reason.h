#pragma once

#include <absl/status/status.h>

#include <chrono>

namespace apollo {

// Tells why gRPC cancelled a call: DEADLINE_EXCEEDED where the client's
// deadline has passed, else CANCELLED. `arrived`, `deadline` and `now` are of
// the same clock; `deadline` is as the server knows it.
absl::Status CancelReason(std::chrono::system_clock::time_point arrived,
                          std::chrono::system_clock::time_point deadline,
                          std::chrono::system_clock::time_point now);

}  // namespace apollo
