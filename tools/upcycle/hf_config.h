#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "common/json.h"
#include "tools/upcycle/dense_base.h"

namespace apollo {

// A generation_config.json: an object, and its path.
struct GenerationJson {
  Json json;
  std::string source;
};

// Parses the config.json of a LlamaForCausalLM, Qwen2ForCausalLM or
// Qwen3ForCausalLM, as written by versions 4 and 5 of transformers. Adds the
// ends of `generation`, unless it is null. Errors start with `source`, or with
// the source of `generation`; a key of model/config/config_keys.h must have the
// value that is computed, and unknown keys are a warning. Leaves `chat_files`
// and `dtype` to the caller.
absl::StatusOr<BaseConfig> ParseHfConfig(const Json& json,
                                         std::string_view source,
                                         const GenerationJson* generation);

}  // namespace apollo
