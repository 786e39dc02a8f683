#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <prometheus/collectable.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/thread_pool.h"
#include "engine/worker_setup.h"
#include "expert_worker/expert_core.h"
#include "expert_worker/expert_worker.h"
#include "expert_worker/placement_file.h"
#include "expert_worker/placement_setup.h"
#include "link/worker_info.h"
#include "serving/admin_service.h"
#include "serving/metrics.h"
#include "tracing/tracer.h"

namespace apollo {

// An expert worker and everything it owns, without links and servers. Shared by
// an expert worker process and a process with all roles.
class ExpertRole {
 public:
  struct Options {
    std::string name;
    PlacementOptions placement = {};
    absl::Duration answer_timeout = absl::Seconds(10);
    absl::Duration lease = absl::Milliseconds(300);
    // See ExpertCore::Options.
    std::function<std::int64_t()> certificate_expires = nullptr;
  };

  // Loads the first experts and starts the engine's thread. The setup and
  // `requests` must outlive the role. If `requests` is null, sequences are not
  // counted as requests. `tracer` must outlive the role, too, or be null.
  // Returns the errors of MakeExpertStage, or
  // INVALID_ARGUMENT naming the flag if an option does not fit the model.
  static absl::StatusOr<std::unique_ptr<ExpertRole>> Start(
      const WorkerSetup& setup, const Options& options,
      RequestMetrics* requests, Tracer* tracer = nullptr);

  ExpertWorker& worker() { return *worker_; }
  // The initial description of the worker, for its links.
  const WorkerInfo& self() const { return self_; }
  // The files that the role follows, for its administration. Valid during its
  // lifetime.
  std::vector<AdminFile> Files();
  // Metrics of the worker's own work. Must not be collected after the role is
  // destroyed.
  std::shared_ptr<prometheus::Collectable> metrics() const { return metrics_; }

 private:
  explicit ExpertRole(int threads) : pool_(threads) {}
  // Follows the placement file, if there is one.
  void Follow(const std::string& file, const ModelConfig& config);

  ThreadPool pool_;
  WorkerInfo self_;
  std::unique_ptr<ExpertWorker> worker_;              // Uses all of the above.
  std::optional<PlacementWatch> placement_;           // Uses the worker.
  std::shared_ptr<prometheus::Collectable> metrics_;  // Uses the worker.
};

}  // namespace apollo
