#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>

#include "engine/worker_flags.h"
#include "engine/worker_setup.h"
#include "expert_worker/expert_role.h"
#include "expert_worker/link_acceptor.h"
#include "expert_worker/placement_setup.h"
#include "link/grpc_link.h"
#include "link/peer_set.h"
#include "serving/drain_flags.h"
#include "serving/metrics.h"
#include "serving/peer_flags.h"
#include "serving/process_flags.h"
#include "serving/process_frame.h"
#include "serving/server.h"
#include "serving/trace_setup.h"
#include "worker/worker_links.h"

namespace apollo {

// An expert worker process: the role, the links that others open to it, and
// those that it opens to its peers. Single-threaded.
class ExpertProcess {
 public:
  struct Options {
    ProcessFlags process;
    WorkerFlags worker;
    PeerFlags peers;
    PlacementOptions placement;
    DrainOptions drain;
    TraceSetup trace;
  };

  // Loads the model, listens and dials. Errors name the wrong flag or file.
  static absl::StatusOr<std::unique_ptr<ExpertProcess>> Start(
      const Options& options);

  ~ExpertProcess();

  // Serves until SIGTERM or SIGINT. Then lets sequences in progress, here and
  // on peers that need experts of this worker, finish, or move to other
  // workers, and peers with room load what only this worker holds, within the
  // time to drain.
  // Returns OK, or an error if a port takes no connections any more.
  absl::Status RunUntilStopped();

 private:
  explicit ExpertProcess(std::unique_ptr<ProcessFrame> frame);
  absl::Status StartRole(const Options& options);
  absl::Status Serve(ServerOptions options);
  // Waits until the worker may stop, or gave_up() is true; null: never. Returns
  // true if no sequence is left. Any thread, several at once.
  bool Drain(const DrainOptions& options, const std::function<bool()>& gave_up);

  DrainOptions drain_;
  TraceSetup trace_;  // The last to go: it sends what waits.
  // Each member uses those above it. The frame uses all of them until it is
  // closed.
  const std::unique_ptr<ProcessFrame> frame_;
  RequestMetrics request_metrics_;
  std::unique_ptr<WorkerSetup> setup_;
  std::unique_ptr<ExpertRole> role_;
  std::unique_ptr<WorkerLinkAcceptor> acceptor_;
  std::unique_ptr<WorkerLinks> links_;
  std::unique_ptr<GrpcLinkService> service_;
  std::unique_ptr<PeerSet> peers_;
};

}  // namespace apollo
