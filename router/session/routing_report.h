#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <string>
#include <vector>

#include "router/backend.h"
#include "sequence/routing.h"

namespace apollo {

// Where counts of routing come from, or why they are missing.
struct RoutingOrigin {
  std::string dense_worker;
  bool answered = false;
  absl::Duration covered;
  std::string reason;  // Why it has not answered.
};

// The counts of all dense workers that answered, as one.
struct RoutingReport {
  RoutingCounts counts;
  std::vector<RoutingOrigin> origins;  // In the order of the workers.
};

// UNAVAILABLE if none of the workers answered.
absl::StatusOr<RoutingReport> MergeRouting(
    const std::vector<WorkerRouting>& workers);

}  // namespace apollo
