#pragma once

#include <absl/status/statusor.h>

#include "dense_worker/run_limits.h"

namespace apollo {

// Reads the flags of a dense worker that serves routers: --run_output_bytes and
// --stalled_router_timeout. Call it after absl::ParseCommandLine. Returns
// INVALID_ARGUMENT naming a flag whose value is out of range.
absl::StatusOr<RunLimits> ReadRunFlags();

}  // namespace apollo
