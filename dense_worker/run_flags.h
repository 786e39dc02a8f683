#pragma once

#include <absl/status/statusor.h>

#include "dense_worker/run_limits.h"

namespace apollo {

// The flags of a dense worker that serves routers: --run_output_bytes and
// --stalled_router_timeout. Reads them after absl::ParseCommandLine.
// INVALID_ARGUMENT naming the flag whose value is out of range.
absl::StatusOr<RunLimits> ReadRunFlags();

}  // namespace apollo
