#pragma once

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include <chrono>

namespace apollo {

// Tells why gRPC cancelled a call: DEADLINE_EXCEEDED where the client's
// deadline has passed, else CANCELLED. `arrived`, `deadline` and `now` are of
// the same clock; `deadline` is as the server knows it.
absl::Status CancelReason(std::chrono::system_clock::time_point arrived,
                          std::chrono::system_clock::time_point deadline,
                          std::chrono::system_clock::time_point now);

// Ends a call at once, with the status, though its client may not be reading:
// unsent output does not hold up the status. The call's reactor must finish it
// all the same.
void CancelCall(grpc::CallbackServerContext& context,
                const grpc::Status& status);

}  // namespace apollo
