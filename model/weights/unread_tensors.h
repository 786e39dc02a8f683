#pragma once

#include <absl/status/status.h>

#include <string>
#include <vector>

#include "model/config/model_config.h"
#include "model/safetensors/checkpoint.h"

namespace apollo {

// Checks that no tensor is ignored silently: every tensor in the files or in
// the index of a checkpoint must be one that the config names
// (tensor_registry.h), a buffer that follows from the config, or a copy of the
// embedding as the head of a model with tied embeddings (the same numbers). A
// checkpoint with others asks for another computation if they belong to the
// layers, the embedding, the final norm or the head; then returns
// INVALID_ARGUMENT naming the file, the tensor and what would be right. Appends
// one warning with the names of all remaining ones, if there are any. The
// checkpoint must have passed UnifyTensors. Reads weights only to compare a
// head with the embedding.
absl::Status CheckUnreadTensors(const ModelConfig& config,
                                const Checkpoint& checkpoint,
                                std::vector<std::string>& warnings);

}  // namespace apollo
