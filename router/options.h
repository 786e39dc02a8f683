#pragma once

#include <absl/status/status.h>

#include "router/model/router_model.h"
#include "router/session/call_table.h"

namespace apollo {

// The options of a router, filled in from flags by each program that contains
// one.
struct RouterOptions {
  RouterModel::Options model;
  CallLimits calls;
  // Limit on the headers of one gRPC call; gRPC rejects more with
  // RESOURCE_EXHAUSTED.
  int max_metadata_bytes = 16 << 10;
};

// Returns INVALID_ARGUMENT naming the flag whose value is out of range, else
// OK.
absl::Status CheckRouterOptions(const RouterOptions& options);

}  // namespace apollo
