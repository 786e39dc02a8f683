#include "model/config/model_config.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "common/json.h"
#include "common/mapped_file.h"
#include "common/python_json.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "model/config/architecture.h"
#include "model/config/check_config_keys.h"
#include "model/config/config_reader.h"
#include "model/config/end_tokens.h"
#include "model/config/read_rope_scaling.h"
#include "model/config/rope_base.h"

namespace apollo {
namespace {

constexpr std::size_t kMaxConfigBytes = 1 << 20;
constexpr int kMaxHeadSize = 65536;

absl::StatusOr<Json> ParseObject(std::string_view text,
                                 std::string_view source) {
  ASSIGN_OR_RETURN(Json json, ParsePythonJson(text, source));
  if (json.is_object()) return json;
  return absl::InvalidArgumentError(
      absl::StrCat(ToAbsl(source), ": must be a JSON object"));
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

// `generation` may be null.
absl::Status ReadEnds(const ConfigReader& reader, const ConfigFile* generation,
                      ModelConfig& config, std::vector<std::string>& warnings) {
  Json json;
  std::optional<ConfigReader> more;
  if (generation != nullptr) {
    ASSIGN_OR_RETURN(json, ParseObject(generation->text, generation->source));
    RETURN_IF_ERROR(CheckGenerationKeys(json, generation->source, warnings));
    more.emplace(json, generation->source);
  }
  ASSIGN_OR_RETURN(EndTokens ends,
                   ReadEndTokens(reader, more ? &*more : nullptr,
                                 config.vocab_size, warnings));
  config.eos_tokens = std::move(ends.all);
  config.added_ends = std::move(ends.added);
  return absl::OkStatus();
}

absl::Status ReadPromptFormat(const ConfigReader& reader, ModelConfig& config,
                              bool sparse) {
  const Json* format = reader.Find("prompt_format");
  config.prompt_format = PromptFormat::kApollo;
  config.chat_template_use = ChatTemplateUse::kNever;
  if (format == nullptr) {
    if (!sparse) config.chat_template_use = ChatTemplateUse::kIfPresent;
  } else if (*format == "chatml") {
    config.prompt_format = PromptFormat::kChatMl;
  } else if (*format == "template") {
    config.chat_template_use = ChatTemplateUse::kAlways;
  } else if (*format != "apollo") {
    return reader.Wrong("prompt_format", *format,
                        "\"apollo\", \"chatml\" or \"template\"");
  }
  return absl::OkStatus();
}

// Reads a fact that has two names, which must not differ.
absl::StatusOr<bool> ReadTwoNames(const ConfigReader& reader, const char* key,
                                  const char* other, bool fallback) {
  ASSIGN_OR_RETURN(const bool second, reader.Bool(other, fallback));
  ASSIGN_OR_RETURN(const bool first, reader.Bool(key, second));
  const Json* value = reader.Find(other);
  if (value != nullptr && second != first) {
    return reader.Wrong(
        other, *value,
        absl::StrCat("that of \"", key, "\", ", first ? "true" : "false"));
  }
  return first;
}

// Reads the further computations of attention.
absl::Status ReadAttention(const ConfigReader& reader, ModelConfig& config) {
  ASSIGN_OR_RETURN(config.attention_bias,
                   ReadTwoNames(reader, "attention_bias", "qkv_bias", true));
  ASSIGN_OR_RETURN(config.qk_norm,
                   ReadTwoNames(reader, "use_qk_norm", "qk_norm", false));
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
  ASSIGN_OR_RETURN(config.num_heads,
                   reader.Int("num_attention_heads", 1, 1024));
  ASSIGN_OR_RETURN(
      config.num_kv_heads,
      reader.Int("num_key_value_heads", 1, config.num_heads, config.num_heads));
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

// Reads the heads. Their size follows from the others if it is not given.
absl::Status ReadHeads(const ConfigReader& reader, ModelConfig& config) {
  const Json& json = reader.json();
  if (config.num_heads % config.num_kv_heads != 0) {
    return reader.Wrong(
        "num_key_value_heads", json["num_key_value_heads"],
        absl::StrCat("a divisor of num_attention_heads = ", config.num_heads));
  }
  const Json* given = reader.Find("head_dim");
  if (given == nullptr) {
    if (config.hidden_size % (2 * config.num_heads) != 0) {
      return reader.Wrong(
          "hidden_size", json["hidden_size"],
          absl::StrCat("a multiple of 2 x num_attention_heads = ",
                       2 * config.num_heads, ", unless there is a head_dim"));
    }
    config.head_size = config.hidden_size / config.num_heads;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(config.head_size, reader.Int("head_dim", 2, kMaxHeadSize));
  if (config.head_size % 2 != 0) {
    return reader.Wrong("head_dim", *given, "even");
  }
  return absl::OkStatus();
}

// Reads the experts of a model that has some.
absl::Status ReadExperts(const ConfigReader& reader, ModelConfig& config) {
  ASSIGN_OR_RETURN(config.moe_intermediate_size,
                   reader.Int("moe_intermediate_size", 1, 1 << 20));
  ASSIGN_OR_RETURN(config.num_experts, reader.Int("num_experts", 1, 1024));
  ASSIGN_OR_RETURN(config.experts_per_token,
                   reader.Int("num_experts_per_tok", 1, config.num_experts));
  ASSIGN_OR_RETURN(config.norm_topk_prob, reader.Bool("norm_topk_prob", false));
  ASSIGN_OR_RETURN(config.shared_expert, reader.Bool("share_flag", false));
  return ReadBoundary(reader, config);
}

}  // namespace

absl::StatusOr<ModelConfig> ParseModelConfig(std::string_view text,
                                             std::string_view source,
                                             std::vector<std::string>* warnings,
                                             const ConfigFile* generation) {
  ASSIGN_OR_RETURN(Json json, ParseObject(text, source));
  const ConfigReader reader(json, source);
  ModelConfig config;
  std::vector<std::string> doubts;
  ASSIGN_OR_RETURN(const Architecture* architecture, ReadArchitecture(reader));
  config.architecture = std::string(architecture->name);
  RETURN_IF_ERROR(CheckConfigKeys(json, source, doubts));
  RETURN_IF_ERROR(Complete(*architecture, source, json));
  RETURN_IF_ERROR(ReadSizes(reader, config));
  RETURN_IF_ERROR(ReadHeads(reader, config));
  RETURN_IF_ERROR(ReadAttention(reader, config));
  config.output_bias = config.attention_bias && architecture->output_bias;
  ASSIGN_OR_RETURN(config.tie_word_embeddings,
                   reader.Bool("tie_word_embeddings", false));
  ASSIGN_OR_RETURN(config.rope_theta, ReadRopeBase(json, source, doubts));
  ASSIGN_OR_RETURN(const ScaledRope rope,
                   ReadRopeScaling(json, source, config.rope_theta,
                                   config.max_context, doubts));
  config.rope_scaling = rope.scaling;
  config.max_context = rope.max_context;
  if (architecture->sparse) {
    RETURN_IF_ERROR(ReadExperts(reader, config));
  } else {
    config.boundary = config.num_layers - 1;
  }
  RETURN_IF_ERROR(ReadEnds(reader, generation, config, doubts));
  RETURN_IF_ERROR(ReadPromptFormat(reader, config, architecture->sparse));
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
  const std::string more_path = absl::StrCat(directory, "/", kGenerationFile);
  // A link to nowhere is a file that cannot be read, not one that is not there.
  std::error_code ignored;
  if (!std::filesystem::exists(
          std::filesystem::symlink_status(more_path, ignored))) {
    return ParseModelConfig(text, path, warnings);
  }
  ASSIGN_OR_RETURN(const std::string more,
                   ReadFile(more_path, kMaxConfigBytes));
  const ConfigFile generation = {more, more_path};
  return ParseModelConfig(text, path, warnings, &generation);
}

}  // namespace apollo
