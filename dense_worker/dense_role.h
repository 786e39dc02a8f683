#pragma once

#include <absl/status/statusor.h>
#include <prometheus/collectable.h>

#include <cstdint>
#include <memory>

#include "common/thread_pool.h"
#include "dense_worker/dense_core.h"
#include "dense_worker/dense_worker.h"
#include "dense_worker/routing_log.h"
#include "engine/worker_setup.h"
#include "link/worker_info.h"

namespace apollo {

// A dense worker and everything it owns, without links and servers. Shared by a
// dense worker process and a process with all roles.
class DenseRole {
 public:
  // Loads the weights and starts the engine's thread. The setup must outlive
  // the role. Returns the errors of MakeDenseStage, or INVALID_ARGUMENT naming
  // the flag if an option does not fit the model.
  static absl::StatusOr<std::unique_ptr<DenseRole>> Start(
      const WorkerSetup& setup, const DenseCore::Options& options);

  DenseWorker& worker() { return *worker_; }
  // The initial description of the worker, for its links.
  const WorkerInfo& self() const { return self_; }
  const RoutingLog& routing() const { return routing_; }
  // Metrics of the worker's own work. Must not be collected after the role is
  // destroyed.
  std::shared_ptr<prometheus::Collectable> metrics() const { return metrics_; }
  // Returns a number that changes while the engine makes progress, also within
  // a long step. Any thread.
  std::uint64_t progress() const { return worker_->progress(); }

 private:
  explicit DenseRole(const WorkerSetup& setup);

  ThreadPool pool_;
  RoutingLog routing_;
  WorkerInfo self_;
  std::unique_ptr<DenseWorker> worker_;               // Uses all of the above.
  std::shared_ptr<prometheus::Collectable> metrics_;  // Uses the worker.
};

}  // namespace apollo
