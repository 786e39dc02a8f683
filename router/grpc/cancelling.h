#pragma once

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include <chrono>

namespace apollo {

// Returns the reason for which gRPC cancelled a call: DEADLINE_EXCEEDED if the
// client's deadline has passed, else CANCELLED. `deadline` is the deadline as
// the server knows it.
absl::Status CancelReason(std::chrono::system_clock::time_point arrived,
                          std::chrono::system_clock::time_point deadline,
                          std::chrono::system_clock::time_point now);

// Ends a call with the status immediately, even if its client does not read:
// the status does not wait for unsent output. The reactor must still finish the
// call.
void CancelCall(grpc::CallbackServerContext& context,
                const grpc::Status& status);

}  // namespace apollo
