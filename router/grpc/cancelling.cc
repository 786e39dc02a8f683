#include "router/grpc/cancelling.h"

#include <grpc/grpc.h>

namespace apollo {

absl::Status CancelReason(std::chrono::system_clock::time_point arrived,
                          std::chrono::system_clock::time_point deadline,
                          std::chrono::system_clock::time_point now) {
  using std::chrono::system_clock;
  if (deadline != system_clock::time_point::max()) {
    // A client says how long it waits in at least two digits, rounded up, and
    // ends the call by its own clock: 1% and a little early.
    const system_clock::duration early =
        (deadline - arrived) / 100 + std::chrono::milliseconds(10);
    if (now >= deadline - early) {
      return absl::DeadlineExceededError("the client's deadline has passed");
    }
  }
  return absl::CancelledError("the client cancelled the request");
}

void CancelCall(grpc::CallbackServerContext& context,
                const grpc::Status& status) {
  // The C++ library's TryCancel says CANCELLED, and Finish waits behind what
  // was written.
  grpc_call_cancel_with_status(
      context.c_call(), static_cast<grpc_status_code>(status.error_code()),
      status.error_message().c_str(), nullptr);
}

}  // namespace apollo
