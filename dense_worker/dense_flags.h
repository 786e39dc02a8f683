#pragma once

#include <absl/status/statusor.h>

#include "dense_worker/dense_core.h"

namespace apollo {

// Reads the flags that only a dense worker has: --max_running, --token_budget,
// --mixed_token_budget, --steps_in_flight, --max_waiting, --max_waiting_tokens,
// --max_waiting_per_running, --overcommit, --priority_ageing and --pinning.
// Call it after absl::ParseCommandLine. `steps_in_flight` is the default of
// that flag. Returns INVALID_ARGUMENT naming a flag whose value is out of
// range.
absl::StatusOr<DenseCore::Options> ReadDenseFlags(int steps_in_flight);

}  // namespace apollo
