#pragma once

#include <absl/status/status.h>

#include "router/model/router_model.h"
#include "router/session/call_table.h"

namespace apollo {

// The flags of a router, as each program that has one in it fills them in.
struct RouterOptions {
  RouterModel::Options model;
  CallLimits calls;
  // Of the headers of one gRPC call; gRPC refuses more with RESOURCE_EXHAUSTED.
  int max_metadata_bytes = 16 << 10;
};

// INVALID_ARGUMENT naming the flag whose value cannot be.
absl::Status CheckRouterOptions(const RouterOptions& options);

}  // namespace apollo
