#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <functional>
#include <memory>
#include <string>

#include "router/audit/audit_log.h"
#include "router/dense_pool.h"
#include "router/failover/failover_backend.h"
#include "router/router_role.h"
#include "serving/drain_flags.h"
#include "serving/process_flags.h"
#include "serving/process_frame.h"
#include "serving/trace_setup.h"

namespace apollo {

// A router as a process: the public service in front of a pool of dense
// workers. Used by one thread.
class RouterProcess {
 public:
  struct Options {
    ProcessFlags process;
    RouterOptions router;
    std::string dense_workers;  // See serving/membership.h; not empty.
    std::string dns_server;     // The same.
    DrainOptions drain;
    TraceSetup trace;
    absl::Duration dense_worker_timeout = absl::Seconds(10);
    absl::Duration lease = absl::Milliseconds(300);
  };

  // Loads the tokenizer and the language detector, starts to listen, and starts
  // polling the dense workers. Errors name the flag or the file at fault.
  static absl::StatusOr<std::unique_ptr<RouterProcess>> Start(
      const Options& options);

  ~RouterProcess();

  // Serves until SIGTERM or SIGINT. Then calls in progress may end within the
  // time to drain, while new ones are refused.
  // Returns OK, or an error if a port takes no connections any more.
  absl::Status RunUntilStopped();

 private:
  explicit RouterProcess(std::unique_ptr<ProcessFrame> frame);
  absl::Status Serve(const Options& options);
  // Turns new calls away for good, and waits until none is left, for the time
  // of the options, or until gave_up() is true. When the time is over, ends
  // those that are left. Returns true if none was left. Any thread, several at
  // once.
  bool Drain(const DrainOptions& options, const std::function<bool()>& gave_up);

  absl::Duration drain_timeout_;
  TraceSetup trace_;  // The last to go: it sends what waits.
  // Each uses those above it, and the frame, until it is closed, all of them.
  const std::unique_ptr<ProcessFrame> frame_;
  std::unique_ptr<RouterModel> model_;
  std::unique_ptr<DensePool> pool_;
  std::unique_ptr<FailoverBackend> failover_;
  std::unique_ptr<AuditLog> audit_;  // May be null.
  std::unique_ptr<RouterRole> role_;
};

}  // namespace apollo
