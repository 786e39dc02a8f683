#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <string>
#include <vector>

#include "router/backend.h"
#include "sequence/routing.h"

namespace apollo {

// The origin of a part of the routing counts, or the reason for its absence.
struct RoutingOrigin {
  std::string dense_worker;
  bool answered = false;
  absl::Duration covered;
  std::string reason;  // Reason for the missing answer, if it is missing.
};

// The sum of the counts of all dense workers that answered.
struct RoutingReport {
  RoutingCounts counts;
  std::vector<RoutingOrigin> origins;  // In the order of the workers.
};

// Adds up the counts of the workers. Returns UNAVAILABLE if none answered.
absl::StatusOr<RoutingReport> MergeRouting(
    const std::vector<WorkerRouting>& workers);

}  // namespace apollo
