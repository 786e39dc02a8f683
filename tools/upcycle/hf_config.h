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

// Parses the config.json of a LlamaForCausalLM or Qwen2ForCausalLM, as written
// by versions 4 and 5 of transformers. Adds the ends of `generation`, unless
// it is null. Errors start with `source`, or with the source of `generation`.
// Leaves `chat_files` and `dtype` to the caller.
absl::StatusOr<BaseConfig> ParseHfConfig(const Json& json,
                                         std::string_view source,
                                         const GenerationJson* generation);

}  // namespace apollo
