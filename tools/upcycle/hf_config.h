#pragma once

#include <absl/status/statusor.h>

#include <string_view>

#include "common/json.h"
#include "tools/upcycle/dense_base.h"

namespace apollo {

// Reads the config.json of a LlamaForCausalLM or Qwen2ForCausalLM, of versions
// 4 and 5 of transformers. Errors start with `source`. `chatml` and `dtype` are
// left for the caller.
absl::StatusOr<BaseConfig> ParseHfConfig(const Json& json,
                                         std::string_view source);

}  // namespace apollo
