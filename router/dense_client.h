#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "proto/apollo/internal/v1/worker.grpc.pb.h"
#include "sequence/generation.h"
#include "sequence/routing.h"

namespace apollo {

// How long a dense worker may take to answer what it knows at once.
inline constexpr auto kDenseAnswerLimit = std::chrono::seconds(2);

// A dense worker in another process. Thread-safe.
class DenseClient final : public GenerationBackend {
 public:
  explicit DenseClient(std::shared_ptr<grpc::Channel> channel);

  std::unique_ptr<GenerationCall> Start(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink) override;

  // What the worker counted: see RouterBackend::CollectRouting. `done` is
  // called once, from a thread of gRPC.
  void CollectRouting(absl::Duration window,
                      std::function<void(absl::StatusOr<RoutingCounts>)> done);

  internal::v1::DenseWorkerService::Stub& stub() { return *stub_; }

 private:
  // Calls keep the stub alive.
  const std::shared_ptr<internal::v1::DenseWorkerService::Stub> stub_;
};

}  // namespace apollo
