#pragma once

#include <absl/status/statusor.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <memory>

#include "common/thread_pool.h"
#include "dense_worker/dense_core.h"
#include "dense_worker/dense_metrics.h"
#include "dense_worker/dense_worker.h"
#include "dense_worker/routing_log.h"
#include "engine/worker_setup.h"

namespace apollo {

// A dense worker with all that it owns, without links and servers: what a
// process of its own and a process with all roles have in common.
class DenseRole {
 public:
  // Loads the weights and starts the engine's thread. The setup and the
  // registry must outlive the role. Errors as CpuDenseStage::Load's, and
  // INVALID_ARGUMENT naming the flag if an option does not fit the model.
  static absl::StatusOr<std::unique_ptr<DenseRole>> Start(
      const WorkerSetup& setup, const DenseCore::Options& options,
      prometheus::Registry& registry);

  DenseWorker& worker() { return *worker_; }
  const RoutingLog& routing() const { return routing_; }
  // Changes as long as the engine goes on: a long step makes progress loop by
  // loop. Any thread.
  std::uint64_t progress() const { return worker_->progress() + pool_.loops(); }

 private:
  DenseRole(const WorkerSetup& setup, prometheus::Registry& registry);

  ThreadPool pool_;
  RoutingLog routing_;
  DenseMetrics metrics_;
  std::unique_ptr<DenseWorker> worker_;  // Uses all of the above.
};

}  // namespace apollo
