#pragma once

#include <absl/status/status.h>

#include "model/config/model_config.h"
#include "model/safetensors/checkpoint.h"

namespace apollo {

// Checks every tensor that the config asks for (tensor_registry.h): there, of
// the right shape, and of a type that can be read (float32, float16, bfloat16).
// Looks at headers only, so that a wrong checkpoint is refused before any
// weight is used. NOT_FOUND or INVALID_ARGUMENT naming the file, the tensor and
// what was expected.
absl::Status CheckTensors(const ModelConfig& config,
                          const Checkpoint& checkpoint);

}  // namespace apollo
