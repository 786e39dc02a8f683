#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <memory>
#include <string>

#include "router/dense_pool.h"
#include "router/router_role.h"
#include "serving/membership.h"
#include "serving/process_flags.h"
#include "serving/server.h"

namespace apollo {

// A router as a process: the public service in front of a pool of dense
// workers. Used by one thread.
class RouterProcess {
 public:
  struct Options {
    ProcessFlags process;
    RouterOptions router;
    std::string dense_workers;  // See serving/membership.h; not empty.
    absl::Duration dense_worker_timeout = absl::Seconds(10);
  };

  // Loads the tokenizer and the language detector, starts to listen, and starts
  // polling the dense workers. Errors name the flag or the file at fault.
  static absl::StatusOr<std::unique_ptr<RouterProcess>> Start(
      const Options& options);

  // Serves until SIGTERM or SIGINT. Then refuses new calls and lets those in
  // progress finish for up to 10 seconds.
  void RunUntilStopped();

 private:
  RouterProcess() = default;

  // Each member uses some of those above it.
  std::unique_ptr<RouterModel> model_;
  std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<DensePool> pool_;
  std::unique_ptr<Membership> members_;
  std::unique_ptr<RouterRole> role_;
  std::unique_ptr<Server> server_;
};

}  // namespace apollo
