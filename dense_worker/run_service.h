#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>

#include "common/clock.h"
#include "dense_worker/routing_log.h"
#include "model/config/fingerprint.h"
#include "proto/apollo/internal/v1/worker.grpc.pb.h"
#include "sequence/generation.h"
#include "serving/metrics.h"

namespace apollo {

// What Describe and Routing report.
struct DenseWorkerFacts {
  std::string name;
  std::string model_hash;
  ModelFingerprint fingerprint;
  std::function<bool()> ready;
  std::function<int()> running;
  const RoutingLog& routing;
};

// Offers a backend to routers. Everything passed in must outlive the service.
class RunService final
    : public internal::v1::DenseWorkerService::CallbackService {
 public:
  RunService(GenerationBackend& backend, DenseWorkerFacts facts,
             RequestMetrics& metrics, const Clock& clock)
      : backend_(backend),
        facts_(std::move(facts)),
        metrics_(metrics),
        clock_(clock) {}

  grpc::ServerWriteReactor<internal::v1::RunEvent>* Run(
      grpc::CallbackServerContext* context,
      const internal::v1::RunRequest* request) override;
  grpc::ServerUnaryReactor* Describe(
      grpc::CallbackServerContext* context,
      const internal::v1::DescribeRequest* request,
      internal::v1::DescribeResponse* response) override;
  grpc::ServerUnaryReactor* Routing(
      grpc::CallbackServerContext* context,
      const internal::v1::RoutingRequest* request,
      internal::v1::RoutingResponse* response) override;

 private:
  GenerationBackend& backend_;
  const DenseWorkerFacts facts_;
  RequestMetrics& metrics_;
  const Clock& clock_;
};

}  // namespace apollo
