#include "tools/upcycle/gguf_config.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "common/json.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "model/safetensors/tensor_view.h"
#include "tools/upcycle/gguf_keys.h"
#include "tools/upcycle/gguf_number.h"
#include "tools/upcycle/gguf_rope.h"

namespace apollo {
namespace {

constexpr GgufArchitecture kArchitectures[] = {
    {"llama", true},
    {"qwen2", false},
    {"qwen3", false, true},
};

class ConfigReader {
 public:
  ConfigReader(const GgufModel& model, const GgufArchitecture& architecture)
      : model_(model), keys_(model.keys()), architecture_(architecture) {}

  absl::StatusOr<BaseConfig> Read() {
    RETURN_IF_ERROR(ReadSizes());
    RETURN_IF_ERROR(ReadTokens());
    RETURN_IF_ERROR(ReadTensors());
    RETURN_IF_ERROR(CheckBaseConfig(config_, keys_.path()));
    RETURN_IF_ERROR(CheckSizes());
    ASSIGN_OR_RETURN(config_.warnings,
                     CheckGgufKeys(keys_, architecture_.name, config_));
    RETURN_IF_ERROR(AddWarnings());
    ASSIGN_OR_RETURN(config_.rope_scaling,
                     ReadGgufRope(model_, architecture_.name, config_));
    return std::move(config_);
  }

 private:
  std::string Key(std::string_view name) const {
    return absl::StrCat(ToAbsl(architecture_.name), ".", ToAbsl(name));
  }

  absl::Status ReadSizes() {
    for (const auto& [name, target] :
         {std::pair{"embedding_length", &config_.hidden_size},
          std::pair{"feed_forward_length", &config_.intermediate_size},
          std::pair{"block_count", &config_.num_layers},
          std::pair{"attention.head_count", &config_.num_heads},
          std::pair{"context_length", &config_.max_positions}}) {
      ASSIGN_OR_RETURN(*target, keys_.GetUniformInt(Key(name)));
    }
    config_.qk_norm = architecture_.qk_norm;
    if (const auto key = Key("attention.key_length"); keys_.Has(key)) {
      ASSIGN_OR_RETURN(config_.head_dim, keys_.GetInt(key));
      if (config_.head_dim < 1) {
        return absl::InvalidArgumentError(
            absl::StrCat(DescribeGgufKey(keys_.path(), key), " is ",
                         config_.head_dim, "; it must be at least 1"));
      }
    }
    config_.num_kv_heads = config_.num_heads;
    if (const auto key = Key("attention.head_count_kv"); keys_.Has(key)) {
      ASSIGN_OR_RETURN(config_.num_kv_heads, keys_.GetUniformInt(key));
    }
    config_.rope_theta = 10000;  // The format's default.
    if (const auto key = Key("rope.freq_base"); keys_.Has(key)) {
      ASSIGN_OR_RETURN(const double theta, keys_.GetNumber(key));
      config_.rope_theta = ShortestDouble(theta);
    }
    ASSIGN_OR_RETURN(const double eps,
                     keys_.GetNumber(Key("attention.layer_norm_rms_epsilon")));
    config_.rms_norm_eps = ShortestDouble(eps);
    return absl::OkStatus();
  }

  absl::Status ReadTokens() {
    if (const char* key = "tokenizer.ggml.bos_token_id"; keys_.Has(key)) {
      ASSIGN_OR_RETURN(config_.bos_token_id, keys_.GetInt(key));
    }
    // The ends of a text, of a turn and of a message that calls a tool.
    std::vector<std::int64_t>& ends = config_.eos_token_ids;
    constexpr char kEos[] = "tokenizer.ggml.eos_token_id";
    for (const char* key :
         {kEos, "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
      if (!keys_.Has(key)) continue;
      ASSIGN_OR_RETURN(const std::int64_t id, keys_.GetInt(key));
      if (std::find(ends.begin(), ends.end(), id) == ends.end()) {
        ends.push_back(id);
      }
    }
    if (ends.empty()) return keys_.GetInt(kEos).status();
    if (const char* key = "tokenizer.chat_template"; keys_.Has(key)) {
      ASSIGN_OR_RETURN(const std::string_view text, keys_.GetString(key));
      RETURN_IF_ERROR(KeepChatTemplate(std::string(text)));
    }
    return absl::OkStatus();
  }

  // The template may name the special tokens.
  absl::Status KeepChatTemplate(std::string text) {
    ASSIGN_OR_RETURN(const std::vector<std::string_view> tokens,
                     keys_.GetStrings("tokenizer.ggml.tokens"));
    nlohmann::ordered_json special;
    for (const auto& [name, id] :
         {std::pair("bos_token", config_.bos_token_id),
          std::pair("eos_token", config_.eos_token_ids.front())}) {
      if (id < 0 || id >= static_cast<std::int64_t>(tokens.size())) continue;
      special[name] = tokens[static_cast<std::size_t>(id)];
    }
    config_.chat_files["chat_template.jinja"] = std::move(text);
    config_.chat_files["tokenizer_config.json"] =
        special.dump(2, ' ', false, Json::error_handler_t::replace);
    return absl::OkStatus();
  }

  absl::Status ReadTensors() {
    const GgufTensor* embedding = model_.FindTensor("token_embd.weight");
    if (embedding == nullptr) {
      return absl::NotFoundError(model_.Where("token_embd.weight") +
                                 " is missing");
    }
    config_.vocab_size = embedding->shape[0];
    // The model is complete: all of its parts are open.
    config_.tied_embeddings = model_.FindTensor("output.weight") == nullptr;
    config_.attention_bias = model_.FindTensor("blk.0.attn_q.bias") != nullptr;
    const GgufTensor* mlp = model_.FindTensor("blk.0.ffn_gate.weight");
    const std::uint32_t type = mlp == nullptr ? kGgmlF32 : mlp->type->id;
    config_.dtype = type == kGgmlF16    ? DType::kF16
                    : type == kGgmlBF16 ? DType::kBF16
                                        : DType::kF32;
    return absl::OkStatus();
  }

  absl::Status CheckSizes() const {
    const auto check = [&](const char* name, std::int64_t expected,
                           const char* meaning) -> absl::Status {
      const std::string key = Key(name);
      if (!keys_.Has(key)) return absl::OkStatus();
      ASSIGN_OR_RETURN(const std::int64_t size, keys_.GetInt(key));
      if (size == expected) return absl::OkStatus();
      return absl::InvalidArgumentError(
          absl::StrCat(DescribeGgufKey(keys_.path(), key), " is ", size,
                       "; it must be ", meaning, ", ", expected));
    };
    for (const char* name :
         {"attention.value_length", "rope.dimension_count"}) {
      RETURN_IF_ERROR(
          check(name, config_.head_size(), "the size of the heads of keys"));
    }
    return check("vocab_size", config_.vocab_size,
                 "the number of rows of token_embd.weight");
  }

  absl::Status AddWarnings() {
    if (const char* key = "tokenizer.ggml.add_space_prefix"; keys_.Has(key)) {
      ASSIGN_OR_RETURN(const bool prefix, keys_.GetBool(key));
      if (prefix) {
        config_.warnings.push_back(
            DescribeGgufKey(keys_.path(), key) +
            " is true, but byte-level tokenizers add no space, as in "
            "llama.cpp");
      }
    }
    return absl::OkStatus();
  }

  const GgufModel& model_;
  const GgufFile& keys_;
  const GgufArchitecture& architecture_;
  BaseConfig config_;
};

}  // namespace

absl::StatusOr<GgufArchitecture> FindGgufArchitecture(const GgufFile& keys) {
  constexpr char kKey[] = "general.architecture";
  ASSIGN_OR_RETURN(const std::string_view name, keys.GetString(kKey));
  std::string known;
  for (const GgufArchitecture& architecture : kArchitectures) {
    if (architecture.name == name) return architecture;
    absl::StrAppend(&known, known.empty() ? "" : ", ",
                    ToAbsl(architecture.name));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(DescribeGgufKey(keys.path(), kKey), " is \"", ToAbsl(name),
                   "\"; these can be converted: ", known));
}

absl::StatusOr<BaseConfig> ReadGgufConfig(
    const GgufModel& model, const GgufArchitecture& architecture) {
  return ConfigReader(model, architecture).Read();
}

}  // namespace apollo
