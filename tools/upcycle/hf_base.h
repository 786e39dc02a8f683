#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "tools/upcycle/dense_base.h"

namespace apollo {

// Opens a Hugging Face directory with config.json (LlamaForCausalLM or
// Qwen2ForCausalLM), safetensors and tokenizer.json. INVALID_ARGUMENT for
// another architecture, or for features that the published format has no place
// for (scaled rotary positions, sliding windows, other activations), naming the
// key.
absl::StatusOr<std::unique_ptr<DenseBase>> OpenHfBase(
    const std::string& directory);

}  // namespace apollo
