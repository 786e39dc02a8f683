#pragma once

#include <absl/status/statusor.h>

#include <string_view>

#include "common/json.h"
#include "tools/upcycle/dense_base.h"

namespace apollo {

// Parses the config.json of a LlamaForCausalLM or Qwen2ForCausalLM, as written
// by versions 4 and 5 of transformers. Errors start with `source`. Leaves
// `chatml` and `dtype` to the caller.
absl::StatusOr<BaseConfig> ParseHfConfig(const Json& json,
                                         std::string_view source);

}  // namespace apollo
