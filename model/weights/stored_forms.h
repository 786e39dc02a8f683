#pragma once

#include <absl/status/status.h>

#include "model/config/model_config.h"
#include "model/safetensors/checkpoint.h"

namespace apollo {

// Gives the tensors of a checkpoint the names and shapes of the registry
// (tensor_registry.h) where tools store them in another form, as views into the
// same memory:
//  - the experts of a layer in one tensor, as transformers 5 holds them and can
//    save them (models/qwen2_moe/modeling_qwen2_moe.py, Qwen2MoeExperts):
//      model.layers.{i}.mlp.experts.gate_up_proj  [experts, 2 * inner, hidden]:
//        of each expert, the rows of gate_proj, then those of up_proj
//      model.layers.{i}.mlp.experts.down_proj     [experts, hidden, inner]
//  - tied embeddings under the name of the head only.
// So all users of a checkpoint, its hash included, see one form. Returns
// INVALID_ARGUMENT, naming file and tensor, for another shape or type, or if a
// layer has experts in both forms.
absl::Status UnifyTensors(const ModelConfig& config, Checkpoint& checkpoint);

}  // namespace apollo
