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

// A dense worker with all that it owns, without links and servers: what a
// process of its own and a process with all roles have in common.
class DenseRole {
 public:
  // Loads the weights and starts the engine's thread. The setup must outlive
  // the role. Errors as CpuDenseStage::Load's, and INVALID_ARGUMENT naming the
  // flag if an option does not fit the model.
  static absl::StatusOr<std::unique_ptr<DenseRole>> Start(
      const WorkerSetup& setup, const DenseCore::Options& options);

  DenseWorker& worker() { return *worker_; }
  // Describes the worker as it starts, for its links.
  const WorkerInfo& self() const { return self_; }
  const RoutingLog& routing() const { return routing_; }
  // What the worker counts of its own work. Not to be asked once the role is
  // gone.
  std::shared_ptr<prometheus::Collectable> metrics() const { return metrics_; }
  // Changes as long as the engine goes on, also within a long step. Any thread.
  std::uint64_t progress() const {
    return worker_->progress() + pool_.progress();
  }

 private:
  explicit DenseRole(const WorkerSetup& setup);

  ThreadPool pool_;
  RoutingLog routing_;
  WorkerInfo self_;
  std::unique_ptr<DenseWorker> worker_;               // Uses all of the above.
  std::shared_ptr<prometheus::Collectable> metrics_;  // Uses the worker.
};

}  // namespace apollo
