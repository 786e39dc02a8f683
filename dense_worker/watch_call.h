#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "common/mutex.h"
#include "proto/apollo/internal/v1/generation.pb.h"

namespace apollo {

// One call of Watch: a router that listens to the worker's signs of life. Sends
// at most one sign at a time, so a router that reads nothing costs no
// memory. Lives until gRPC has finished with it. Thread-safe.
class WatchCall final
    : public grpc::ServerWriteReactor<internal::v1::SignOfLife>,
      public std::enable_shared_from_this<WatchCall> {
 public:
  // Keeps the object alive until the call is over. Called once, first.
  void Begin();
  // Sends the sign, unless one is under way or the call has ended.
  void Send(const internal::v1::SignOfLife& sign);
  // Ends the call with OK.
  void End();

 private:
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  Mutex mutex_;
  internal::v1::SignOfLife written_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;  // Finish was called.
  std::shared_ptr<WatchCall> self_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
