#pragma once

#include <string>

#include "model/config/model_config.h"
#include "model/safetensors/checkpoint.h"

namespace apollo {

// A fingerprint of what is served: SHA-256 over the config's facts, every
// tensor's name, type and shape, and 64 bytes of its data, as 16 hexadecimal
// digits. Equal exactly when two workers may serve one sequence together (for
// checkpoints that differ in more than a few isolated numbers).
std::string ModelHash(const ModelConfig& config, const Checkpoint& checkpoint);

}  // namespace apollo
