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

namespace apollo {
namespace {

constexpr char kEnds[] = "eos_token_id";

class ConfigReader {
 public:
  ConfigReader(const Json& json, std::string_view source,
               const GenerationJson* generation)
      : json_(json), source_(source), generation_(generation) {}

  absl::StatusOr<BaseConfig> Read() const {
    ASSIGN_OR_RETURN(const bool qwen2, IsQwen2());
    RETURN_IF_ERROR(RefuseOtherFeatures());
    BaseConfig config;
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
    ASSIGN_OR_RETURN(config.rope_theta, RopeTheta());
    ASSIGN_OR_RETURN(config.tied_embeddings,
                     Bool("tie_word_embeddings", false));
    config.attention_bias = qwen2;
    if (Present(json_, "bos_token_id")) {
      ASSIGN_OR_RETURN(config.bos_token_id, Int("bos_token_id"));
    }
    RETURN_IF_ERROR(ReadEndTokens(config));
    RETURN_IF_ERROR(AddGenerationEnds(config));
    RETURN_IF_ERROR(CheckBaseConfig(config, source_));
    if (Present(json_, "head_dim")) {
      ASSIGN_OR_RETURN(const std::int64_t head_size, Int("head_dim"));
      if (head_size != config.head_size()) {
        return Error("head_dim is ", head_size,
                     "; it must be the hidden size over the heads, ",
                     config.head_size());
      }
    }
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

  absl::StatusOr<bool> IsQwen2() const {
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
    if (name == "Qwen2ForCausalLM" || name == "qwen2") return true;
    if (name == "LlamaForCausalLM" || name == "llama") return false;
    return Error(
        "the architecture is neither LlamaForCausalLM nor "
        "Qwen2ForCausalLM, the supported ones");
  }

  absl::Status RefuseOtherFeatures() const {
    for (const char* key :
         {"use_sliding_window", "mlp_bias", "attention_bias"}) {
      // In Llama, attention_bias also implies a bias of o_proj, which the
      // published format does not have.
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
    for (const char* key : {"rope_scaling", "rope_parameters"}) {
      if (!Present(json_, key)) continue;
      const Json& rope = json_[key];
      if (!rope.is_object()) return Error(key, " must be an object");
      for (const char* type : {"rope_type", "type"}) {
        if (Present(rope, type) && rope[type] != "default") {
          return Error(key, ".", type,
                       " must be \"default\"; scaled rotary "
                       "positions cannot be converted");
        }
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<double> RopeTheta() const {
    if (Present(json_, "rope_theta")) return Number(json_, "rope_theta");
    if (Present(json_, "rope_parameters") &&
        Present(json_["rope_parameters"], "rope_theta")) {
      return Number(json_["rope_parameters"], "rope_theta");
    }
    return 10000.0;  // The default of both architectures.
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
