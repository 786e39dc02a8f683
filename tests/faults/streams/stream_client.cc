#include "tests/faults/streams/stream_client.h"

namespace apollo {

void Cancellation::Cancel() {
  MutexLock lock(mutex_);
  cancelled_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

bool Cancellation::cancelled() const {
  MutexLock lock(mutex_);
  return cancelled_;
}

CancellableCall::CancellableCall(Cancellation& cancellation,
                                 grpc::ClientContext& context)
    : cancellation_(cancellation) {
  MutexLock lock(cancellation_.mutex_);
  cancellation_.context_ = &context;
  if (cancellation_.cancelled_) context.TryCancel();
}

CancellableCall::~CancellableCall() {
  MutexLock lock(cancellation_.mutex_);
  cancellation_.context_ = nullptr;
}

}  // namespace apollo
