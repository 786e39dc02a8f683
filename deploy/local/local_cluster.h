#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <memory>

#include "dense_worker/dense_role.h"
#include "engine/worker_flags.h"
#include "engine/worker_setup.h"
#include "expert_worker/expert_role.h"
#include "expert_worker/placement_setup.h"
#include "link/link.h"
#include "link/link_session.h"
#include "router/audit/audit_log.h"
#include "router/backend.h"
#include "router/router_role.h"
#include "serving/drain_flags.h"
#include "serving/process_flags.h"
#include "serving/process_frame.h"
#include "serving/trace_setup.h"

namespace apollo {

// A whole cluster in one process: router, dense worker and one expert worker
// with all experts, connected by an in-process link. Single-threaded.
class LocalCluster {
 public:
  struct Options {
    ProcessFlags process;
    WorkerFlags worker;  // Threads and cache of each stage.
    DenseCore::Options core;
    RouterOptions router;
    PlacementOptions placement;  // Of its expert worker.
    DrainOptions drain;
    TraceSetup trace = {};
  };

  // Loads everything and listens. Errors name the wrong flag or file.
  static absl::StatusOr<std::unique_ptr<LocalCluster>> Start(Options options);
  ~LocalCluster();

  // Serves until SIGTERM or SIGINT. Then refuses new calls and lets those in
  // progress finish within the time to drain.
  // Returns OK, or an error if a port takes no connections any more.
  absl::Status RunUntilStopped();

 private:
  explicit LocalCluster(std::unique_ptr<ProcessFrame> frame);
  absl::Status StartRoles(Options& options);
  void JoinWorkers();
  WorkerInfo ExpertState() const;

  absl::Duration drain_timeout_;
  TraceSetup trace_;  // The last to go: it sends what waits.
  // Each member uses those above it. The frame uses all of them until it is
  // closed.
  const std::unique_ptr<ProcessFrame> frame_;
  std::unique_ptr<WorkerSetup> setup_;
  std::unique_ptr<RouterModel> router_model_;
  std::unique_ptr<ExpertRole> expert_;
  std::unique_ptr<DenseRole> dense_;
  std::shared_ptr<LinkSession> at_dense_;  // The dense worker's end of link_.
  std::shared_ptr<Link> link_;  // Closed before either worker is destroyed.
  std::unique_ptr<RouterBackend> backend_;
  std::unique_ptr<AuditLog> audit_;  // May be null.
  std::unique_ptr<RouterRole> router_;
};

}  // namespace apollo
