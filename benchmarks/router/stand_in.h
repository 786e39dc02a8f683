#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "proto/apollo/internal/v1/generation.grpc.pb.h"
#include "serving/server.h"

namespace apollo::load {

// A dense worker without a model, on a free port of 127.0.0.1. Answers every
// Run with tokens of its prompt: the first one immediately, then one every
// `pace`. Records when it passed each token to gRPC, so that a client in the
// same process can measure the transit time. Thread-safe; one Run at a time.
class StandIn final : private internal::v1::DenseWorkerService::Service {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Starts the worker. Returns UNAVAILABLE if there is no free port.
  static absl::StatusOr<std::unique_ptr<StandIn>> Start(
      std::chrono::microseconds pace);

  const std::string& address() const { return server_->address(); }
  // Returns the send times of the tokens of the last Run.
  std::vector<TimePoint> sent();

 private:
  explicit StandIn(std::chrono::microseconds pace) : pace_(pace) {}

  grpc::Status Run(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<internal::v1::RunEvent,
                               internal::v1::RunRequest>* writer) override;
  grpc::Status Describe(grpc::ServerContext* context,
                        const internal::v1::DescribeRequest* request,
                        internal::v1::DescribeResponse* response) override;

  const std::chrono::microseconds pace_;
  Mutex mutex_;
  std::vector<TimePoint> sent_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Server> server_;  // Destroyed first.
};

}  // namespace apollo::load
