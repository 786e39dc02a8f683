#pragma once

#include <absl/status/status.h>

#include "model/config/model_config.h"

namespace apollo {

// Checks --token_budget of a dense worker: all rows of a step may have to fit
// into one frame. Returns INVALID_ARGUMENT with the flag, its value and the
// valid range.
absl::Status CheckTokenBudget(int token_budget, const ModelConfig& config);

}  // namespace apollo
