#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dense_worker/dense_worker.h"
#include "dense_worker/routing_log.h"
#include "link/worker_info.h"
#include "router/backend.h"
#include "tracing/tracer.h"

namespace apollo {

// A router's backend that uses the dense worker of this process. Thread-safe.
class LocalBackend final : public RouterBackend {
 public:
  // The worker and the log must outlive the backend. `self` describes the
  // worker; `expert` returns the state of the process's expert worker, from any
  // thread. `tracer` must outlive the backend, or be null.
  LocalBackend(DenseWorker& worker, const RoutingLog& routing,
               std::string model_hash, const WorkerInfo& self,
               std::function<WorkerInfo()> expert, Tracer* tracer)
      : worker_(worker),
        routing_(routing),
        model_hash_(std::move(model_hash)),
        self_(self),
        expert_(std::move(expert)),
        tracer_(tracer) {}

  std::unique_ptr<GenerationCall> Start(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink) override;
  bool Ready() override { return worker_.Ready(); }
  std::string ModelHash() override { return model_hash_; }
  void CollectRouting(
      absl::Duration window,
      std::function<void(std::vector<WorkerRouting>)> done) override {
    done({{"local", routing_.Counts(window)}});
  }
  void CollectStatus(
      std::function<void(std::vector<ProcessStatus>)> done) override;

 private:
  DenseWorker& worker_;
  const RoutingLog& routing_;
  const std::string model_hash_;
  const WorkerInfo self_;
  const std::function<WorkerInfo()> expert_;
  Tracer* const tracer_;
};

}  // namespace apollo
