#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>

#include "common/mutex.h"
#include "proto/apollo/internal/v1/generation.grpc.pb.h"

namespace apollo {

// A call of Watch: receives the signs of life of one dense worker. Lives until
// gRPC is done with it. Thread-safe.
class DenseWatch final
    : public grpc::ClientReadReactor<internal::v1::SignOfLife>,
      public std::enable_shared_from_this<DenseWatch> {
 public:
  // Called from gRPC threads, one at a time: `sign` with each sign, then
  // `end` once with the status of the call.
  using Sign = std::function<void(const internal::v1::SignOfLife&)>;
  using End = std::function<void(const grpc::Status&)>;
  DenseWatch(Sign sign, End end);

  // Starts the call. Called once. Keeps the stub alive.
  void Begin(std::shared_ptr<internal::v1::DenseWorkerService::Stub> stub);
  // Ends the call; `end` follows.
  void Cancel() { context_.TryCancel(); }

 private:
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  const Sign sign_;
  const End end_;
  std::shared_ptr<internal::v1::DenseWorkerService::Stub> stub_;
  grpc::ClientContext context_;
  const internal::v1::WatchRequest request_;
  internal::v1::SignOfLife read_;  // Being read.
  Mutex mutex_;
  std::shared_ptr<DenseWatch> self_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
