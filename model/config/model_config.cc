#include "model/config/model_config.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>

#include "common/json.h"
#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "model/config/check_config_keys.h"
#include "model/config/config_reader.h"
#include "model/config/rope_base.h"

namespace apollo {
namespace {

constexpr std::size_t kMaxConfigBytes = 1 << 20;
constexpr char kArchitecture[] = "UpcyclingQwen2MoeForCausalLM";
constexpr char kModelType[] = "upcycling-qwen2-moe";

// A list of architectures may be missing if the type of the model is known.
absl::Status CheckArchitecture(const ConfigReader& reader,
                               ModelConfig& config) {
  const auto not_served = [&reader](const char* key, const Json& value,
                                    const std::string& right) {
    return absl::UnimplementedError(
        absl::StrCat(reader.Wrong(key, value, right).message()));
  };
  const Json* type = reader.Find("model_type");
  if (type != nullptr && *type != kModelType) {
    return not_served("model_type", *type,
                      absl::StrCat("\"", kModelType, "\""));
  }
  config.architecture = kArchitecture;
  const Json* names = reader.Find("architectures");
  if (names == nullptr) {
    if (type != nullptr) return absl::OkStatus();
    return reader.Missing("architectures");
  }
  if (!names->is_array() || names->size() != 1 || !names->front().is_string()) {
    return reader.Wrong("architectures", *names, "a list of one name");
  }
  if (names->front() != kArchitecture) {
    return not_served("architectures", *names,
                      absl::StrCat("[\"", kArchitecture, "\"]"));
  }
  return absl::OkStatus();
}

// mlp_only_layers must be 0, 1, ..., B-1 in any order; B is the boundary.
absl::Status ReadBoundary(const ConfigReader& reader, ModelConfig& config) {
  const auto it = reader.json().find("mlp_only_layers");
  config.boundary = 0;
  if (it == reader.json().end() || it->is_null()) return absl::OkStatus();
  if (!it->is_array()) return reader.Wrong("mlp_only_layers", *it, "a list");
  std::vector<bool> dense(config.num_layers, false);
  for (const Json& entry : *it) {
    const bool valid =
        entry.is_number_integer() && entry >= 0 && entry < config.num_layers;
    if (!valid || dense[entry.get<int>()]) {
      return reader.Wrong(
          "mlp_only_layers", *it,
          absl::StrCat("distinct layers below ", config.num_layers));
    }
    dense[entry.get<int>()] = true;
  }
  const auto first_sparse = std::find(dense.begin(), dense.end(), false);
  config.boundary = static_cast<int>(first_sparse - dense.begin());
  if (std::find(first_sparse, dense.end(), true) != dense.end()) {
    return absl::UnimplementedError(
        absl::StrCat(ToAbsl(reader.source()),
                     ": sparse layers must be the last ones, but \"",
                     "mlp_only_layers\" has a dense layer after sparse layer ",
                     config.boundary));
  }
  if (config.boundary == config.num_layers) {
    return absl::UnimplementedError(
        absl::StrCat(ToAbsl(reader.source()),
                     ": \"mlp_only_layers\" names every layer; at least the "
                     "last one must be sparse"));
  }
  return absl::OkStatus();
}

absl::Status ReadEosTokens(const ConfigReader& reader, ModelConfig& config,
                           std::vector<std::string>& warnings) {
  const std::string right = absl::StrCat("a token id below ", config.vocab_size,
                                         " or a list of them");
  const Json* value = reader.Find("eos_token_id");
  if (value == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(reader.Missing("eos_token_id").message(),
                     ", so that no answer would end; it must be ", right));
  }
  const Json list = value->is_array() ? *value : Json::array({*value});
  for (const Json& entry : list) {
    if (!entry.is_number_integer() || entry < 0 || entry >= config.vocab_size) {
      return reader.Wrong("eos_token_id", *value, right);
    }
    config.eos_tokens.push_back(entry.get<std::int32_t>());
  }
  if (config.eos_tokens.empty()) {
    warnings.push_back(absl::StrCat(
        ToAbsl(reader.source()),
        ": \"eos_token_id\" is [], so that answers end only at their limits"));
  }
  return absl::OkStatus();
}

absl::Status ReadPromptFormat(const ConfigReader& reader, ModelConfig& config) {
  const auto it = reader.json().find("prompt_format");
  config.names_prompt_format = it != reader.json().end() && !it->is_null();
  if (it == reader.json().end() || it->is_null() || *it == "apollo") {
    config.prompt_format = PromptFormat::kApollo;
  } else if (*it == "chatml") {
    config.prompt_format = PromptFormat::kChatMl;
  } else {
    return reader.Wrong("prompt_format", *it, "\"apollo\" or \"chatml\"");
  }
  return absl::OkStatus();
}

// Two names of one fact: whether q, k and v have biases.
absl::Status ReadAttentionBias(const ConfigReader& reader,
                               ModelConfig& config) {
  ASSIGN_OR_RETURN(const bool qkv, reader.Bool("qkv_bias", true));
  ASSIGN_OR_RETURN(config.attention_bias, reader.Bool("attention_bias", qkv));
  const Json* value = reader.Find("qkv_bias");
  if (value != nullptr && qkv != config.attention_bias) {
    return reader.Wrong("qkv_bias", *value,
                        absl::StrCat("that of \"attention_bias\", ",
                                     config.attention_bias ? "true" : "false"));
  }
  return absl::OkStatus();
}

// A window counts only with use_sliding_window, which must not be true
// (config_keys.h). A config that says neither may have meant a window.
void WarnOfWindow(const ConfigReader& reader,
                  std::vector<std::string>& warnings) {
  const Json* window = reader.Find("sliding_window");
  if (window == nullptr || reader.Find("use_sliding_window") != nullptr) return;
  warnings.push_back(absl::StrCat(
      ToAbsl(reader.source()), ": \"sliding_window\" is ", ShowJson(*window),
      " without \"use_sliding_window\"; it is taken as not in use"));
}

// Reads the numbers that need no others.
absl::Status ReadSizes(const ConfigReader& reader, ModelConfig& config) {
  ASSIGN_OR_RETURN(config.hidden_size, reader.Int("hidden_size", 1, 65536));
  ASSIGN_OR_RETURN(config.num_layers, reader.Int("num_hidden_layers", 1, 1024));
  ASSIGN_OR_RETURN(config.intermediate_size,
                   reader.Int("intermediate_size", 1, 1 << 20));
  ASSIGN_OR_RETURN(config.moe_intermediate_size,
                   reader.Int("moe_intermediate_size", 1, 1 << 20));
  ASSIGN_OR_RETURN(config.num_heads,
                   reader.Int("num_attention_heads", 1, 1024));
  ASSIGN_OR_RETURN(
      config.num_kv_heads,
      reader.Int("num_key_value_heads", 1, config.num_heads, config.num_heads));
  ASSIGN_OR_RETURN(config.num_experts, reader.Int("num_experts", 1, 1024));
  ASSIGN_OR_RETURN(config.experts_per_token,
                   reader.Int("num_experts_per_tok", 1, config.num_experts));
  ASSIGN_OR_RETURN(config.vocab_size, reader.Int("vocab_size", 1, 1 << 24));
  ASSIGN_OR_RETURN(config.max_context,
                   reader.Int("max_position_embeddings", 1, 1 << 24));
  ASSIGN_OR_RETURN(const double eps, reader.Positive("rms_norm_eps"));
  config.rms_norm_eps = static_cast<float>(eps);
  if (!std::isfinite(config.rms_norm_eps) || !(config.rms_norm_eps > 0)) {
    return reader.Wrong("rms_norm_eps", reader.json()["rms_norm_eps"],
                        "finite and above 0 in float32");
  }
  return absl::OkStatus();
}

// Reads the heads, whose size follows from the others.
absl::Status ReadHeads(const ConfigReader& reader, ModelConfig& config) {
  const Json& json = reader.json();
  if (config.num_heads % config.num_kv_heads != 0) {
    return reader.Wrong(
        "num_key_value_heads", json["num_key_value_heads"],
        absl::StrCat("a divisor of num_attention_heads = ", config.num_heads));
  }
  if (config.hidden_size % (2 * config.num_heads) != 0) {
    return reader.Wrong("hidden_size", json["hidden_size"],
                        absl::StrCat("a multiple of 2 x num_attention_heads = ",
                                     2 * config.num_heads));
  }
  config.head_size = config.hidden_size / config.num_heads;
  ASSIGN_OR_RETURN(const std::int64_t head_dim,
                   reader.Int("head_dim", 1, 1 << 20, config.head_size));
  if (head_dim != config.head_size) {
    return reader.Wrong(
        "head_dim", json["head_dim"],
        absl::StrCat("hidden_size / num_attention_heads = ", config.head_size));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelConfig> ParseModelConfig(
    std::string_view text, std::string_view source,
    std::vector<std::string>* warnings) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text, source));
  if (!json.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(source), ": must be a JSON object"));
  }
  const ConfigReader reader(json, source);
  ModelConfig config;
  std::vector<std::string> doubts;
  RETURN_IF_ERROR(CheckArchitecture(reader, config));
  RETURN_IF_ERROR(CheckConfigKeys(json, source, doubts));
  RETURN_IF_ERROR(ReadSizes(reader, config));
  RETURN_IF_ERROR(ReadHeads(reader, config));
  RETURN_IF_ERROR(ReadAttentionBias(reader, config));
  ASSIGN_OR_RETURN(config.norm_topk_prob, reader.Bool("norm_topk_prob", false));
  ASSIGN_OR_RETURN(config.shared_expert, reader.Bool("share_flag", false));
  ASSIGN_OR_RETURN(config.tie_word_embeddings,
                   reader.Bool("tie_word_embeddings", false));
  ASSIGN_OR_RETURN(config.rope_theta, ReadRopeBase(json, source, doubts));
  RETURN_IF_ERROR(ReadBoundary(reader, config));
  RETURN_IF_ERROR(ReadEosTokens(reader, config, doubts));
  RETURN_IF_ERROR(ReadPromptFormat(reader, config));
  WarnOfWindow(reader, doubts);
  if (warnings != nullptr) {
    warnings->insert(warnings->end(), doubts.begin(), doubts.end());
  }
  return config;
}

absl::StatusOr<ModelConfig> LoadModelConfig(
    const std::string& directory, std::vector<std::string>* warnings) {
  const std::string path = directory + "/config.json";
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxConfigBytes));
  return ParseModelConfig(text, path, warnings);
}

}  // namespace apollo
