#pragma once

#include <absl/status/status.h>

#include "model/config/model_config.h"
#include "model/safetensors/checkpoint.h"

namespace apollo {

// Checks that every tensor required by the config (tensor_registry.h) exists,
// with the right shape and a readable type (float32, float16, bfloat16). Reads
// only headers, so a wrong checkpoint is rejected before any weight is used.
// Returns NOT_FOUND or INVALID_ARGUMENT naming the file, the tensor and the
// expectation.
absl::Status CheckTensors(const ModelConfig& config,
                          const Checkpoint& checkpoint);

}  // namespace apollo
