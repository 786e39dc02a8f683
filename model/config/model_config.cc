#include "model/config/model_config.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "common/json.h"
#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

constexpr std::size_t kMaxConfigBytes = 1 << 20;
constexpr char kArchitecture[] = "UpcyclingQwen2MoeForCausalLM";
constexpr char kModelType[] = "upcycling-qwen2-moe";

// Reads typed values of a JSON object. Errors name the file and the key.
class Reader {
 public:
  Reader(const Json& json, std::string_view source)
      : json_(json), source_(source) {}

  absl::StatusOr<std::int64_t> Int(
      const char* key, std::int64_t low, std::int64_t high,
      std::optional<std::int64_t> fallback = {}) const {
    const auto it = json_.find(key);
    if (it == json_.end() || it->is_null()) {
      if (fallback) return *fallback;
      return Missing(key);
    }
    if (!it->is_number_integer()) return Wrong(key, *it, "an integer");
    // An unsigned number above the signed range is out of every range here.
    const bool fits =
        !it->is_number_unsigned() || it->get<std::uint64_t>() <= INT64_MAX;
    if (!fits || it->get<std::int64_t>() < low ||
        it->get<std::int64_t>() > high) {
      return Wrong(key, *it, absl::StrCat("from ", low, " to ", high));
    }
    return it->get<std::int64_t>();
  }

  absl::StatusOr<bool> Bool(const char* key, bool fallback) const {
    const auto it = json_.find(key);
    if (it == json_.end() || it->is_null()) return fallback;
    if (!it->is_boolean()) return Wrong(key, *it, "true or false");
    return it->get<bool>();
  }

  absl::StatusOr<double> Positive(const char* key) const {
    const auto it = json_.find(key);
    if (it == json_.end() || it->is_null()) return Missing(key);
    if (!it->is_number()) return Wrong(key, *it, "a number above 0");
    const double value = it->get<double>();
    if (!std::isfinite(value) || !(value > 0)) {
      return Wrong(key, *it, "a finite number above 0");
    }
    return value;
  }

  absl::Status Missing(const char* key) const {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(source_), ": key \"", key, "\" is missing"));
  }

  absl::Status Wrong(const char* key, const Json& value,
                     const std::string& right) const {
    std::string shown =
        value.dump(-1, ' ', true, Json::error_handler_t::replace);
    if (shown.size() > 80) shown = shown.substr(0, 77) + "...";
    return absl::InvalidArgumentError(absl::StrCat(
        ToAbsl(source_), ": \"", key, "\" is ", shown, "; it must be ", right));
  }

  const Json& json() const { return json_; }
  std::string_view source() const { return source_; }

 private:
  const Json& json_;
  std::string_view source_;
};

absl::Status CheckArchitecture(const Reader& reader, ModelConfig& config) {
  const Json& json = reader.json();
  const auto it = json.find("architectures");
  if (it == json.end()) return reader.Missing("architectures");
  if (!it->is_array() || it->size() != 1 || !it->front().is_string()) {
    return reader.Wrong("architectures", *it, "a list of one name");
  }
  config.architecture = it->front().get<std::string>();
  if (config.architecture != kArchitecture) {
    return absl::UnimplementedError(
        absl::StrCat(reader
                         .Wrong("architectures", *it,
                                absl::StrCat("[\"", kArchitecture, "\"]"))
                         .message()));
  }
  if (const auto type = json.find("model_type");
      type != json.end() && *type != kModelType) {
    return absl::UnimplementedError(absl::StrCat(
        reader.Wrong("model_type", *type, absl::StrCat("\"", kModelType, "\""))
            .message()));
  }
  return absl::OkStatus();
}

// mlp_only_layers must be 0, 1, ..., B-1 in any order; B is the boundary.
absl::Status ReadBoundary(const Reader& reader, ModelConfig& config) {
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

absl::Status ReadEosTokens(const Reader& reader, ModelConfig& config) {
  const auto it = reader.json().find("eos_token_id");
  if (it == reader.json().end() || it->is_null()) return absl::OkStatus();
  const Json list = it->is_array() ? *it : Json::array({*it});
  for (const Json& entry : list) {
    if (!entry.is_number_integer() || entry < 0 || entry >= config.vocab_size) {
      return reader.Wrong("eos_token_id", *it,
                          absl::StrCat("a token id below ", config.vocab_size,
                                       " or a list of them"));
    }
    config.eos_tokens.push_back(entry.get<std::int32_t>());
  }
  return absl::OkStatus();
}

absl::Status ReadPromptFormat(const Reader& reader, ModelConfig& config) {
  const auto it = reader.json().find("prompt_format");
  if (it == reader.json().end() || it->is_null() || *it == "apollo") {
    config.prompt_format = PromptFormat::kApollo;
  } else if (*it == "chatml") {
    config.prompt_format = PromptFormat::kChatMl;
  } else {
    return reader.Wrong("prompt_format", *it, "\"apollo\" or \"chatml\"");
  }
  return absl::OkStatus();
}

absl::Status RefuseWhatIsNotServed(const Reader& reader) {
  const Json& json = reader.json();
  if (const auto it = json.find("hidden_act");
      it != json.end() && *it != "silu") {
    return reader.Wrong("hidden_act", *it, "\"silu\"");
  }
  if (const auto it = json.find("rope_scaling");
      it != json.end() && !it->is_null()) {
    return reader.Wrong("rope_scaling", *it, "null: scaling is not served");
  }
  if (const auto it = json.find("use_sliding_window");
      it != json.end() && *it != false) {
    return reader.Wrong("use_sliding_window", *it, "false");
  }
  if (const auto it = json.find("decoder_sparse_step");
      it != json.end() && *it != 1) {
    return reader.Wrong("decoder_sparse_step", *it, "1");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelConfig> ParseModelConfig(std::string_view text,
                                             std::string_view source) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(text, source));
  if (!json.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(source), ": must be a JSON object"));
  }
  const Reader reader(json, source);
  ModelConfig config;
  RETURN_IF_ERROR(CheckArchitecture(reader, config));
  RETURN_IF_ERROR(RefuseWhatIsNotServed(reader));
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
  ASSIGN_OR_RETURN(config.norm_topk_prob, reader.Bool("norm_topk_prob", false));
  ASSIGN_OR_RETURN(config.shared_expert, reader.Bool("share_flag", false));
  ASSIGN_OR_RETURN(config.attention_bias, reader.Bool("attention_bias", true));
  ASSIGN_OR_RETURN(config.tie_word_embeddings,
                   reader.Bool("tie_word_embeddings", false));
  ASSIGN_OR_RETURN(config.rope_theta, reader.Positive("rope_theta"));
  ASSIGN_OR_RETURN(const double eps, reader.Positive("rms_norm_eps"));
  config.rms_norm_eps = static_cast<float>(eps);
  if (!std::isfinite(config.rms_norm_eps) || !(config.rms_norm_eps > 0)) {
    return reader.Wrong("rms_norm_eps", json["rms_norm_eps"],
                        "finite and above 0 in float32");
  }
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
  RETURN_IF_ERROR(ReadBoundary(reader, config));
  RETURN_IF_ERROR(ReadEosTokens(reader, config));
  RETURN_IF_ERROR(ReadPromptFormat(reader, config));
  return config;
}

absl::StatusOr<ModelConfig> LoadModelConfig(const std::string& directory) {
  const std::string path = directory + "/config.json";
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxConfigBytes));
  return ParseModelConfig(text, path);
}

}  // namespace apollo
