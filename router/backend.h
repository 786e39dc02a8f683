#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <functional>
#include <string>
#include <vector>

#include "router/process_status.h"
#include "sequence/generation.h"
#include "sequence/routing.h"

namespace apollo {

// The routing counts of one dense worker.
struct WorkerRouting {
  std::string worker;  // The name, or the address if the name is unknown.
  absl::StatusOr<RoutingCounts> counts;
};

// The cluster behind a router, as the router sees it.
class RouterBackend : public GenerationBackend {
 public:
  // Returns true if a sequence could be started now.
  virtual bool Ready() = 0;
  // Returns the hash of the served model as the workers report it; empty until
  // a worker has reported one.
  virtual std::string ModelHash() = 0;
  // Collects the routing counts of all dense workers within the window (zero:
  // since they started). Never blocks. Calls `done` once, from this thread or
  // another one, within seconds, with an entry for each worker.
  virtual void CollectRouting(
      absl::Duration window,
      std::function<void(std::vector<WorkerRouting>)> done) = 0;
  // Collects the state of all dense workers, and of the expert workers that
  // they know. Never blocks. Calls `done` once, from this thread or another
  // one, within seconds, with the dense workers, then the expert workers.
  virtual void CollectStatus(
      std::function<void(std::vector<ProcessStatus>)> done) = 0;
};

}  // namespace apollo
