#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/mutex.h"
#include "proto/apollo/internal/v1/generation.grpc.pb.h"
#include "sequence/generation.h"
#include "sequence/routing.h"

namespace apollo {

class RunReactor;

// The default deadline of the calls that a dense worker answers immediately
// (Describe, Routing).
inline constexpr std::chrono::milliseconds kDenseAnswerLimit{2000};

// A dense worker in another process. Thread-safe.
class DenseClient final : public GenerationBackend {
 public:
  explicit DenseClient(
      std::shared_ptr<grpc::Channel> channel,
      std::chrono::milliseconds answer_limit = kDenseAnswerLimit);

  std::unique_ptr<GenerationCall> Start(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink) override;

  // Ends all sequences that run on this worker with the error, without waiting
  // for the worker.
  void AbandonAll(const absl::Status& error);

  // Fetches the routing counts of the worker: see
  // RouterBackend::CollectRouting. Calls `done` once, from a gRPC thread.
  void CollectRouting(absl::Duration window,
                      std::function<void(absl::StatusOr<RoutingCounts>)> done);

  // Fetches the description of the worker, with details. Calls `done` once,
  // from a gRPC thread.
  void Describe(
      std::function<void(absl::StatusOr<internal::v1::DescribeResponse>)> done);

  internal::v1::DenseWorkerService::Stub& stub() { return *stub_; }
  // The same for calls that may outlive the client.
  std::shared_ptr<internal::v1::DenseWorkerService::Stub> shared_stub() {
    return stub_;
  }

 private:
  // Shared with the calls, which may outlive the client.
  struct Calls {
    Mutex mutex;
    std::uint64_t next ABSL_GUARDED_BY(mutex) = 0;
    std::map<std::uint64_t, std::weak_ptr<RunReactor>> running
        ABSL_GUARDED_BY(mutex);
  };

  const std::chrono::milliseconds answer_limit_;
  const std::shared_ptr<Calls> calls_ = std::make_shared<Calls>();
  // Calls keep the stub alive.
  const std::shared_ptr<internal::v1::DenseWorkerService::Stub> stub_;
};

}  // namespace apollo
