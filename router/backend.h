#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <functional>
#include <string>
#include <vector>

#include "sequence/generation.h"
#include "sequence/routing.h"

namespace apollo {

// What one dense worker counted.
struct WorkerRouting {
  std::string worker;  // Its name, or its address if its name is not known.
  absl::StatusOr<RoutingCounts> counts;
};

// What a router needs of the cluster behind it.
class RouterBackend : public GenerationBackend {
 public:
  // Whether a sequence could be started now.
  virtual bool Ready() = 0;
  // Of the model served, as the workers report it; empty before any is known.
  virtual std::string ModelHash() = 0;
  // Asks all dense workers how tokens were routed within the window (zero:
  // since they started). Never blocks; `done` is called once, here or from
  // another thread, within seconds, with an entry for each worker.
  virtual void CollectRouting(
      absl::Duration window,
      std::function<void(std::vector<WorkerRouting>)> done) = 0;
};

}  // namespace apollo
