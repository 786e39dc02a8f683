#include "router/dense_watch.h"

#include <utility>

namespace apollo {

DenseWatch::DenseWatch(Sign sign, End end)
    : sign_(std::move(sign)), end_(std::move(end)) {}

void DenseWatch::Begin(
    std::shared_ptr<internal::v1::DenseWorkerService::Stub> stub) {
  stub_ = std::move(stub);
  {
    MutexLock lock(mutex_);
    self_ = shared_from_this();
  }
  stub_->async()->Watch(&context_, &request_, this);
  StartRead(&read_);
  StartCall();
}

void DenseWatch::OnReadDone(bool ok) {
  if (!ok) return;  // OnDone follows.
  sign_(read_);
  StartRead(&read_);
}

void DenseWatch::OnDone(const grpc::Status& status) {
  std::shared_ptr<DenseWatch> self;
  {
    MutexLock lock(mutex_);
    self = std::move(self_);
  }
  end_(status);
}

}  // namespace apollo
