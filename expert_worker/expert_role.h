#pragma once

#include <absl/status/statusor.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <memory>
#include <set>

#include "common/thread_pool.h"
#include "engine/worker_model.h"
#include "expert_worker/expert_core.h"
#include "expert_worker/expert_metrics.h"
#include "expert_worker/expert_worker.h"
#include "model/language/families.h"
#include "serving/metrics.h"

namespace apollo {

// An expert worker with all that it owns, without links and servers: what a
// process of its own and a process with all roles have in common.
class ExpertRole {
 public:
  // Loads the resident experts and starts the engine's thread. The model, the
  // registry and `requests` must outlive the role; `requests` may be null:
  // then nothing is counted as a request here. Errors as the stage's Load.
  static absl::StatusOr<std::unique_ptr<ExpertRole>> Start(
      const WorkerModel& model, const std::set<int>& experts,
      const FamilyTable& families, int threads,
      const ExpertCore::Options& options, prometheus::Registry& registry,
      RequestMetrics* requests);

  ExpertWorker& worker() { return *worker_; }
  // Tokens that the cache holds at most.
  std::int64_t cache_tokens() const { return cache_tokens_; }

 private:
  ExpertRole(const WorkerModel& model, const FamilyTable& families, int threads,
             prometheus::Registry& registry, RequestMetrics* requests);

  ThreadPool pool_;
  ExpertMetrics metrics_;
  std::int64_t cache_tokens_ = 0;
  std::unique_ptr<ExpertWorker> worker_;  // Uses all of the above.
};

}  // namespace apollo
