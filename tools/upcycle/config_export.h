#pragma once

#include <string>

#include "model/safetensors/tensor_view.h"
#include "tools/upcycle/dense_base.h"
#include "tools/upcycle/options.h"

namespace apollo {

// Returns the config.json of the upcycled model in the published format
// (architecture UpcyclingQwen2MoeForCausalLM), with this project's optional
// keys attention_bias and prompt_format. `dtype` is the type of the written
// weights.
std::string ExportConfig(const BaseConfig& base, const UpcycleOptions& options,
                         DType dtype);

}  // namespace apollo
