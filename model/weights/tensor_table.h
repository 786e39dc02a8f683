#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/config/model_config.h"
#include "model/safetensors/checkpoint.h"

namespace apollo {

struct ExpectedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};

// Every tensor that a checkpoint with this config must have, with its shape, in
// the order of the forward pass.
std::vector<ExpectedTensor> ExpectedTensors(const ModelConfig& config);

// Checks all of ExpectedTensors: there, of the right shape, and of a type that
// can be read (float32, float16, bfloat16). Looks at headers only, so that a
// wrong checkpoint is refused before any weight is used. NOT_FOUND or
// INVALID_ARGUMENT naming the file, the tensor and what was expected.
absl::Status CheckTensors(const ModelConfig& config,
                          const Checkpoint& checkpoint);

// A fingerprint of what is served: SHA-256 over the config's facts, every
// tensor's name, type and shape, and 64 bytes of its data, as 16 hexadecimal
// digits. Equal exactly when two workers may serve one sequence together (for
// checkpoints that differ in more than a few isolated numbers).
std::string ModelHash(const ModelConfig& config, const Checkpoint& checkpoint);

}  // namespace apollo
