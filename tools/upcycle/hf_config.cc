#include "tools/upcycle/hf_config.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/config/check_config_keys.h"
#include "model/config/read_rope_scaling.h"
#include "model/config/rope_base.h"
#include "model/config/rope_scaling.h"

namespace apollo {
namespace {

constexpr char kEnds[] = "eos_token_id";
// An architecture of transformers, with the facts that no key says.
struct Kind {
  const char* name;
  const char* type;
  bool attention_bias;
  bool qk_norm;
  std::int64_t head_dim;  // Where the key is missing; 0: from the others.
};
constexpr Kind kKinds[] = {{"LlamaForCausalLM", "llama", false, false, 0},
                           {"Qwen2ForCausalLM", "qwen2", true, false, 0},
                           {"Qwen3ForCausalLM", "qwen3", false, true, 128}};

class ConfigReader {
 public:
  ConfigReader(const Json& json, std::string_view source,
               const GenerationJson* generation)
      : json_(json), source_(source), generation_(generation) {}

  absl::StatusOr<BaseConfig> Read() const {
    ASSIGN_OR_RETURN(const Kind kind, ReadKind());
    RETURN_IF_ERROR(RefuseOtherFeatures());
    BaseConfig config;
    RETURN_IF_ERROR(CheckConfigKeys(json_, source_, config.warnings));
    ASSIGN_OR_RETURN(config.hidden_size, Int("hidden_size"));
    ASSIGN_OR_RETURN(config.intermediate_size, Int("intermediate_size"));
    ASSIGN_OR_RETURN(config.num_layers, Int("num_hidden_layers"));
    ASSIGN_OR_RETURN(config.num_heads, Int("num_attention_heads"));
    config.num_kv_heads = config.num_heads;
    if (Present(json_, "num_key_value_heads")) {
      ASSIGN_OR_RETURN(config.num_kv_heads, Int("num_key_value_heads"));
    }
    ASSIGN_OR_RETURN(config.vocab_size, Int("vocab_size"));
    ASSIGN_OR_RETURN(config.max_positions, Int("max_position_embeddings"));
    ASSIGN_OR_RETURN(config.rms_norm_eps, Number(json_, "rms_norm_eps"));
    RETURN_IF_ERROR(ReadRope(config));
    ASSIGN_OR_RETURN(config.tied_embeddings,
                     Bool("tie_word_embeddings", false));
    config.attention_bias = kind.attention_bias;
    config.qk_norm = kind.qk_norm;
    config.head_dim = kind.head_dim;
    if (Present(json_, "head_dim")) {
      ASSIGN_OR_RETURN(config.head_dim, Int("head_dim"));
      if (config.head_dim == 0) return Error("head_dim is 0");
    }
    if (Present(json_, "bos_token_id")) {
      ASSIGN_OR_RETURN(config.bos_token_id, Int("bos_token_id"));
    }
    RETURN_IF_ERROR(ReadEndTokens(config));
    RETURN_IF_ERROR(AddGenerationEnds(config));
    RETURN_IF_ERROR(CheckBaseConfig(config, source_));
    return config;
  }

 private:
  template <typename... Parts>
  absl::Status Error(const Parts&... parts) const {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(source_), ": ", parts...));
  }

  static bool Present(const Json& object, const char* key) {
    return object.contains(key) && !object[key].is_null();
  }

  absl::StatusOr<std::int64_t> AsInt(const Json& value, const char* key) const {
    if (!value.is_number_integer() ||
        (value.is_number_unsigned() &&
         value.get<std::uint64_t>() >
             static_cast<std::uint64_t>(
                 std::numeric_limits<std::int64_t>::max()))) {
      return Error(key, " must be a whole number");
    }
    return value.get<std::int64_t>();
  }

  absl::StatusOr<std::int64_t> Int(const char* key) const {
    if (!json_.contains(key)) return Error(key, " is missing");
    return AsInt(json_[key], key);
  }

  absl::StatusOr<double> Number(const Json& object, const char* key) const {
    if (!object.contains(key)) return Error(key, " is missing");
    if (!object[key].is_number()) return Error(key, " must be a number");
    const double number = object[key].get<double>();
    if (!std::isfinite(number)) return Error(key, " must be finite");
    return number;
  }

  absl::StatusOr<bool> Bool(const char* key, bool otherwise) const {
    if (!Present(json_, key)) return otherwise;
    if (!json_[key].is_boolean()) return Error(key, " must be true or false");
    return json_[key].get<bool>();
  }

  absl::StatusOr<Kind> ReadKind() const {
    if (!json_.is_object()) return Error("must be a JSON object");
    std::string name;
    if (Present(json_, "architectures")) {
      const Json& list = json_["architectures"];
      if (!list.is_array() || list.size() != 1 || !list[0].is_string()) {
        return Error("architectures must be an array of one string");
      }
      name = list[0].get<std::string>();
    } else if (Present(json_, "model_type") &&
               json_["model_type"].is_string()) {
      name = json_["model_type"].get<std::string>();
    }
    for (const Kind& kind : kKinds) {
      if (name == kind.name || name == kind.type) return kind;
    }
    return Error(
        "the architecture is neither LlamaForCausalLM, Qwen2ForCausalLM nor "
        "Qwen3ForCausalLM, the supported ones");
  }

  absl::Status RefuseOtherFeatures() const {
    for (const char* key :
         {"use_sliding_window", "mlp_bias", "attention_bias"}) {
      // In Llama and Qwen3, attention_bias also implies a bias of o_proj, which
      // the published format does not have.
      ASSIGN_OR_RETURN(const bool on, Bool(key, false));
      if (on)
        return Error(key,
                     " is true, which the published format does not support");
    }
    if (Present(json_, "hidden_act") && json_["hidden_act"] != "silu") {
      return Error("hidden_act must be \"silu\"");
    }
    if (Present(json_, "quantization_config")) {
      return Error(
          "quantization_config is present; only unquantised checkpoints "
          "can be converted");
    }
    return absl::OkStatus();
  }

  // Warnings are those of the served model, whose config has the same numbers.
  absl::Status ReadRope(BaseConfig& config) const {
    std::vector<std::string> warnings;
    bool theta = Present(json_, "rope_theta");
    for (const char* key : {"rope_parameters", "rope_scaling"}) {
      if (!Present(json_, key)) continue;
      theta = theta || Present(json_[key], "rope_theta");
    }
    config.rope_theta = 10000.0;  // The default of both architectures.
    if (theta) {
      ASSIGN_OR_RETURN(config.rope_theta,
                       ReadRopeBase(json_, source_, warnings));
    }
    if (config.max_positions < 1 || config.max_positions > 1 << 24) {
      return Error("max_position_embeddings is ", config.max_positions,
                   "; it must be from 1 to ", 1 << 24);
    }
    ASSIGN_OR_RETURN(
        const ScaledRope rope,
        ReadRopeScaling(json_, source_, config.rope_theta,
                        static_cast<int>(config.max_positions), warnings));
    if (rope.scaling.type == RopeType::kDefault) return absl::OkStatus();
    const char* key =
        Present(json_, "rope_scaling") && !json_["rope_scaling"].empty()
            ? "rope_scaling"
            : "rope_parameters";
    config.rope_scaling = json_[key];
    config.rope_scaling.erase("rope_theta");
    constexpr char kOriginal[] = "original_max_position_embeddings";
    if (Present(json_, kOriginal) && rope.scaling.type != RopeType::kLinear) {
      config.rope_scaling[kOriginal] = rope.scaling.original_context;
    }
    return absl::OkStatus();
  }

  absl::Status ReadEndTokens(BaseConfig& config) const {
    if (!Present(json_, kEnds)) {
      if (generation_ != nullptr && Present(generation_->json, kEnds)) {
        return absl::OkStatus();
      }
      return Error(kEnds, " is missing");
    }
    ASSIGN_OR_RETURN(config.eos_token_ids, Ids(json_[kEnds]));
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::int64_t>> Ids(const Json& value) const {
    std::vector<std::int64_t> ids;
    const Json list = value.is_array() ? value : Json::array({value});
    for (const Json& element : list) {
      ASSIGN_OR_RETURN(const std::int64_t id, AsInt(element, kEnds));
      ids.push_back(id);
    }
    return ids;
  }

  // Answers end at the ends of both files.
  absl::Status AddGenerationEnds(BaseConfig& config) const {
    if (generation_ == nullptr || !Present(generation_->json, kEnds)) {
      return absl::OkStatus();
    }
    const ConfigReader reader(generation_->json, generation_->source, nullptr);
    ASSIGN_OR_RETURN(const std::vector<std::int64_t> ids,
                     reader.Ids(generation_->json[kEnds]));
    for (const std::int64_t id : ids) {
      if (id < 0 || id >= config.vocab_size) {
        return reader.Error(kEnds, " holds ", id,
                            ", which is not in the vocabulary of ",
                            config.vocab_size);
      }
      std::vector<std::int64_t>& ends = config.eos_token_ids;
      if (std::find(ends.begin(), ends.end(), id) == ends.end()) {
        ends.push_back(id);
      }
    }
    return absl::OkStatus();
  }

  const Json& json_;
  const std::string_view source_;
  const GenerationJson* const generation_;  // May be null.
};

}  // namespace

absl::StatusOr<BaseConfig> ParseHfConfig(const Json& json,
                                         std::string_view source,
                                         const GenerationJson* generation) {
  return ConfigReader(json, source, generation).Read();
}

}  // namespace apollo
