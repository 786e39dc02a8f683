#include "dense_worker/watch_call.h"

#include <utility>

namespace apollo {

void WatchCall::Begin() {
  MutexLock lock(mutex_);
  self_ = shared_from_this();
}

void WatchCall::Send(const internal::v1::SignOfLife& sign) {
  MutexLock lock(mutex_);
  if (writing_ || ending_) return;
  writing_ = true;
  written_ = sign;
  StartWrite(&written_);
}

void WatchCall::End() {
  MutexLock lock(mutex_);
  ending_ = true;
  if (writing_ || finished_) return;
  finished_ = true;
  Finish(grpc::Status::OK);
}

void WatchCall::OnWriteDone(bool ok) {
  MutexLock lock(mutex_);
  writing_ = false;
  if (!ok) ending_ = true;  // The router is gone.
  if (!ending_ || finished_) return;
  finished_ = true;
  Finish(grpc::Status::OK);
}

void WatchCall::OnCancel() { End(); }

void WatchCall::OnDone() {
  std::shared_ptr<WatchCall> self;
  MutexLock lock(mutex_);
  self = std::move(self_);
  // `self` is destroyed after `lock`: see the order above.
}

}  // namespace apollo
