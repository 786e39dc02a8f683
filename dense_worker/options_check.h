#pragma once

#include <absl/status/status.h>

#include "dense_worker/dense_core.h"
#include "model/config/model_config.h"

namespace apollo {

// Checks the options of a dense worker of that model. INVALID_ARGUMENT names
// the flag, its value and what would be right.
absl::Status CheckOptions(const DenseCore::Options& options,
                          const ModelConfig& config);

}  // namespace apollo
