#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "common/ticker.h"
#include "dense_worker/dense_role.h"
#include "dense_worker/run_limits.h"
#include "dense_worker/run_service.h"
#include "engine/worker_flags.h"
#include "link/peer_set.h"
#include "serving/membership.h"
#include "serving/metrics.h"
#include "serving/peer_flags.h"
#include "serving/process_flags.h"
#include "serving/server.h"

namespace apollo {

// A dense worker as a process: the role, its links to expert workers, and the
// service that routers call. Used by one thread.
class DenseProcess {
 public:
  struct Options {
    ProcessFlags process;
    WorkerFlags worker;
    PeerFlags peers;
    DenseCore::Options core;  // Its name is the process's.
    RunLimits run;
  };

  // Loads the model, listens and dials. Errors name the flag or the file that
  // is wrong.
  static absl::StatusOr<std::unique_ptr<DenseProcess>> Start(Options options);

  // Serves until SIGTERM or SIGINT. Then sequences in progress may end for up
  // to 10 seconds, while new calls are refused.
  void RunUntilStopped();

 private:
  DenseProcess() = default;

  // Each uses those above it.
  WorkerModel model_;
  std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<RequestMetrics> request_metrics_;
  std::unique_ptr<DenseRole> role_;
  std::unique_ptr<RunService> service_;
  std::unique_ptr<Ticker> stalled_calls_;
  std::unique_ptr<PeerSet> peers_;
  std::unique_ptr<Membership> members_;
  std::unique_ptr<Server> server_;
};

}  // namespace apollo
