#include "router/grpc/cancelling.h"

#include <grpc/grpc.h>

namespace apollo {

absl::Status CancelReason(std::chrono::system_clock::time_point arrived,
                          std::chrono::system_clock::time_point deadline,
                          std::chrono::system_clock::time_point now) {
  using std::chrono::system_clock;
  if (deadline != system_clock::time_point::max()) {
    // A client sends its timeout rounded up to two digits or more, and ends the
    // call by its own clock: up to 1% early, plus some latency.
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
  // In the C++ library, TryCancel always sends CANCELLED, and Finish waits for
  // earlier writes.
  grpc_call_cancel_with_status(
      context.c_call(), static_cast<grpc_status_code>(status.error_code()),
      status.error_message().c_str(), nullptr);
}

}  // namespace apollo
