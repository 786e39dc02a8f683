#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "dense_worker/dense_role.h"
#include "engine/worker_flags.h"
#include "engine/worker_setup.h"
#include "expert_worker/expert_role.h"
#include "link/link.h"
#include "router/backend.h"
#include "router/router_role.h"
#include "serving/process_flags.h"
#include "serving/process_frame.h"

namespace apollo {

// A whole cluster in one process: router, dense worker and one expert worker
// with all experts, joined by an in-process link. Used by one thread.
class LocalCluster {
 public:
  struct Options {
    ProcessFlags process;
    WorkerFlags worker;  // Each stage gets so many threads and such a cache.
    DenseCore::Options core;
    RouterOptions router;
  };

  // Loads everything and listens. Errors name the flag or the file that is
  // wrong.
  static absl::StatusOr<std::unique_ptr<LocalCluster>> Start(Options options);
  ~LocalCluster();

  // Serves until SIGTERM or SIGINT. Then calls in progress may end for up to 10
  // seconds, while new ones are refused.
  void RunUntilStopped();

 private:
  explicit LocalCluster(std::unique_ptr<ProcessFrame> frame);
  absl::Status StartRoles(Options& options);
  void JoinWorkers();

  // Each uses those above it, and the frame, until it is closed, all of them.
  const std::unique_ptr<ProcessFrame> frame_;
  std::unique_ptr<WorkerSetup> setup_;
  std::unique_ptr<RouterModel> router_model_;
  std::unique_ptr<ExpertRole> expert_;
  std::unique_ptr<DenseRole> dense_;
  std::shared_ptr<Link> link_;  // Closed before either worker goes.
  std::unique_ptr<RouterBackend> backend_;
  std::unique_ptr<RouterRole> router_;
};

}  // namespace apollo
