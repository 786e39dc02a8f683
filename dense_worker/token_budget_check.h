#pragma once

#include <absl/status/status.h>

#include "model/config/model_config.h"

namespace apollo {

// Checks --token_budget of a dense worker of that model: all rows of a step may
// have to go into one frame. INVALID_ARGUMENT names the flag, its value and
// what would be right.
absl::Status CheckTokenBudget(int token_budget, const ModelConfig& config);

}  // namespace apollo
