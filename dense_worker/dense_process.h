#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <functional>
#include <memory>

#include "common/ticker.h"
#include "dense_worker/dense_role.h"
#include "dense_worker/run_limits.h"
#include "dense_worker/run_service.h"
#include "engine/worker_flags.h"
#include "engine/worker_setup.h"
#include "link/peer_set.h"
#include "link/worker_details.h"
#include "serving/drain_flags.h"
#include "serving/metrics.h"
#include "serving/peer_flags.h"
#include "serving/process_flags.h"
#include "serving/process_frame.h"
#include "serving/server.h"
#include "serving/tls.h"
#include "serving/trace_setup.h"
#include "worker/worker_links.h"

namespace apollo {

// A dense worker process: the role, its links to expert workers, and the
// service that routers call. Single-threaded.
class DenseProcess {
 public:
  struct Options {
    ProcessFlags process;
    WorkerFlags worker;
    PeerFlags peers;
    DenseCore::Options core;  // Its name is the process's.
    RunLimits run;
    DrainOptions drain;
    TraceSetup trace;
  };

  // Loads the model, listens and dials. Errors name the wrong flag or file.
  static absl::StatusOr<std::unique_ptr<DenseProcess>> Start(Options options);

  ~DenseProcess();

  // Serves until SIGTERM or SIGINT. Then is not ready, and sequences in
  // progress finish, or move to other dense workers
  // (dense_worker/dense_drain.h). Returns OK, or an error if a port takes no
  // connections any more.
  absl::Status RunUntilStopped();

 private:
  explicit DenseProcess(std::unique_ptr<ProcessFrame> frame);
  absl::Status StartRole(Options& options);
  absl::Status Serve(ServerOptions options);
  WorkerDetails Details();
  bool Ready() const;
  // Waits until the worker may stop, or gave_up() is true; null: never. Returns
  // true if no call of a router is left. Any thread, several at once.
  bool Drain(const DrainOptions& options, const std::function<bool()>& gave_up);

  DrainOptions drain_;
  std::shared_ptr<Tls> tls_;  // Null: plaintext.
  TraceSetup trace_;          // The last to go: it sends what waits.
  std::atomic<bool> draining_{false};
  // Each member uses those above it. The frame uses all of them until it is
  // closed.
  const std::unique_ptr<ProcessFrame> frame_;
  RequestMetrics request_metrics_;
  std::unique_ptr<WorkerSetup> setup_;
  std::unique_ptr<DenseRole> role_;
  std::unique_ptr<WorkerLinks> links_;
  std::unique_ptr<RunService> service_;
  std::unique_ptr<Ticker> stalled_calls_;
  std::unique_ptr<Ticker> signs_;
  std::unique_ptr<PeerSet> peers_;
};

}  // namespace apollo
