#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "tools/upcycle/dense_base.h"

namespace apollo {

// Opens a Hugging Face directory with config.json (LlamaForCausalLM,
// Qwen2ForCausalLM or Qwen3ForCausalLM), safetensors and tokenizer.json.
// Returns INVALID_ARGUMENT, naming the key, for other architectures and for
// features that the published format does not support (scaling of rotary
// positions that is not served, sliding windows, other activations), and naming
// the tensor for those of the model's parts that would not be converted.
absl::StatusOr<std::unique_ptr<DenseBase>> OpenHfBase(
    const std::string& directory);

}  // namespace apollo
