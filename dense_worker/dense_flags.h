#pragma once

#include <absl/status/statusor.h>

#include "dense_worker/dense_core.h"

namespace apollo {

// The flags of a dense worker alone: --prefix_caching, --max_running,
// --token_budget, --mixed_token_budget, --steps_in_flight and --max_waiting.
// Reads them after absl::ParseCommandLine. `steps_in_flight` is the default.
// INVALID_ARGUMENT naming the flag whose value is out of range.
absl::StatusOr<DenseCore::Options> ReadDenseFlags(int steps_in_flight);

}  // namespace apollo
