#include "tools/upcycle/gguf_keys.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <variant>

#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

// The values of a key with which it changes nothing.
enum class Neutral {
  kAny,   // It is read elsewhere, or harmless.
  kZero,  // 0 or false.
  kOne,   // 0 (llama.cpp: not set) or 1.
  kTrue,
  kEmpty,  // An array without elements, or of zeros.
};

struct KnownKey {
  std::string_view name;  // After "<architecture>." or "tokenizer.".
  Neutral neutral = Neutral::kAny;
  std::string_view feature = {};  // What other values ask for.
};

constexpr KnownKey kModelKeys[] = {
    // Read by gguf_config.cc and gguf_rope.cc.
    {"attention.head_count"},
    {"attention.head_count_kv"},
    {"attention.key_length"},
    {"attention.layer_norm_rms_epsilon"},
    {"attention.value_length"},
    {"block_count"},
    {"context_length"},
    {"embedding_length"},
    {"feed_forward_length"},
    {"rope.dimension_count"},
    {"rope.freq_base"},
    {"rope.scale_linear"},
    {"rope.scaling.attn_factor"},
    {"rope.scaling.factor"},
    {"rope.scaling.original_context_length"},
    {"rope.scaling.type"},
    {"rope.scaling.yarn_attn_factor"},
    {"rope.scaling.yarn_beta_fast"},
    {"rope.scaling.yarn_beta_slow"},
    {"rope.scaling.yarn_ext_factor"},
    {"rope.scaling.yarn_log_multiplier"},
    {"vocab_size"},
    // Checked below.
    {"attention.scale"},
    {"attention.sliding_window"},
    // Harmless: history, layers with windows, experts, other norms. llama.cpp
    // derives the order of rows from the architecture alone.
    {"attention.key_length_swa"},
    {"attention.layer_norm_epsilon"},
    {"attention.sliding_window_pattern"},
    {"attention.value_length_swa"},
    {"expert_feed_forward_length"},
    {"expert_gating_func"},
    {"expert_weights_norm"},
    {"expert_weights_scale"},
    {"leading_dense_block_count"},
    {"rope.dimension_count_swa"},
    {"rope.freq_base_swa"},
    {"rope.scaling.finetuned"},
    {"tensor_data_layout"},
    // Must not change anything.
    {"attention.causal", Neutral::kTrue, "attention to later tokens"},
    {"attention.clamp_kqv", Neutral::kZero, "clamped queries and keys"},
    {"attention.kv_lora_rank", Neutral::kZero, "latent attention"},
    {"attention.max_alibi_bias", Neutral::kZero, "ALiBi positions"},
    {"attention.output_scale", Neutral::kOne, "scaled attention"},
    {"attention.q_lora_rank", Neutral::kZero, "latent attention"},
    {"attention.relative_buckets_count", Neutral::kZero, "relative positions"},
    {"attention.shared_kv_layers", Neutral::kZero, "shared keys and values"},
    {"attention.temperature_length", Neutral::kZero, "scaled attention"},
    {"attention.temperature_scale", Neutral::kZero, "scaled attention"},
    {"attn_logit_softcapping", Neutral::kZero, "soft caps"},
    {"embedding_scale", Neutral::kOne, "scaled embeddings"},
    {"expert_count", Neutral::kZero, "experts"},
    {"expert_shared_count", Neutral::kZero, "shared experts"},
    {"expert_used_count", Neutral::kZero, "experts"},
    {"final_logit_softcapping", Neutral::kZero, "soft caps"},
    {"logit_scale", Neutral::kOne, "scaled logits"},
    {"nextn_predict_layers", Neutral::kZero, "prediction of several tokens"},
    {"pooling_type", Neutral::kZero, "an embedding of the text as result"},
    {"residual_scale", Neutral::kOne, "scaled residuals"},
    {"rope.dimension_sections", Neutral::kEmpty, "sections of positions"},
    {"router_logit_softcapping", Neutral::kZero, "soft caps"},
    {"use_parallel_residual", Neutral::kZero, "parallel residuals"},
};

constexpr KnownKey kTokenizerKeys[] = {
    // Read by gguf_config.cc and tokenizer_export.cc.
    {"chat_template"},
    {"ggml.add_bos_token"},
    {"ggml.add_space_prefix"},
    {"ggml.bos_token_id"},
    {"ggml.eom_token_id"},
    {"ggml.eos_token_id"},
    {"ggml.eot_token_id"},
    {"ggml.merges"},
    {"ggml.model"},
    {"ggml.pre"},
    {"ggml.token_type"},
    {"ggml.tokens"},
    // Harmless: tokens of other tasks, and tables of other kinds of tokenizer.
    {"ggml.cls_token_id"},
    {"ggml.fim_mid_token_id"},
    {"ggml.fim_pad_token_id"},
    {"ggml.fim_pre_token_id"},
    {"ggml.fim_rep_token_id"},
    {"ggml.fim_sep_token_id"},
    {"ggml.fim_suf_token_id"},
    {"ggml.mask_token_id"},
    {"ggml.middle_token_id"},
    {"ggml.padding_token_id"},
    {"ggml.precompiled_charsmap"},
    {"ggml.prefix_token_id"},
    {"ggml.remove_extra_whitespaces"},
    {"ggml.scores"},
    {"ggml.seperator_token_id"},
    {"ggml.suffix_token_id"},
    {"ggml.token_type_count"},
    {"ggml.unknown_token_id"},
    {"huggingface.json"},
    // Must not change anything.
    {"ggml.add_eos_token", Neutral::kZero, "an end token after each prompt"},
    {"ggml.add_sep_token", Neutral::kZero, "a separator after each prompt"},
    {"ggml.normalizer.lowercase", Neutral::kZero, "text without capitals"},
    {"ggml.normalizer.strip_accents", Neutral::kZero, "text without accents"},
    {"ggml.suppress_tokens", Neutral::kEmpty, "tokens that never occur"},
};

class KeyChecker {
 public:
  explicit KeyChecker(const GgufFile& keys) : keys_(keys) {}

  // Checks the keys that begin with `prefix`.
  absl::Status Check(std::string_view prefix, std::span<const KnownKey> known) {
    for (auto at = keys_.keys().lower_bound(prefix);
         at != keys_.keys().end() && at->first.starts_with(prefix); ++at) {
      const KnownKey* found = nullptr;
      for (const KnownKey& candidate : known) {
        if (at->first.substr(prefix.size()) == candidate.name) {
          found = &candidate;
        }
      }
      if (found == nullptr) {
        warnings_.push_back(DescribeGgufKey(keys_.path(), at->first) +
                            " is not known, and is not converted");
      } else {
        RETURN_IF_ERROR(CheckValue(at->first, *found));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckAttention(std::string_view architecture,
                              const BaseConfig& config) const {
    const std::string prefix = absl::StrCat(ToAbsl(architecture), ".");
    if (const auto key = prefix + "attention.sliding_window"; keys_.Has(key)) {
      ASSIGN_OR_RETURN(const std::int64_t window, keys_.GetInt(key));
      if (window != 0 && window < config.max_positions) {
        return Error(key, " is ", window,
                     "; attention within a window is not computed, so it must "
                     "be 0 or at least the context_length, ",
                     config.max_positions);
      }
    }
    if (const auto key = prefix + "attention.scale"; keys_.Has(key)) {
      ASSIGN_OR_RETURN(const double scale, keys_.GetNumber(key));
      const double usual =
          1 / std::sqrt(static_cast<double>(config.head_size()));
      if (scale != 0 && !(std::fabs(scale - usual) <= 1e-6 * usual)) {
        return Error(key, " is ", scale,
                     "; it must be the inverse square root of the size of a "
                     "head, ",
                     usual);
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckKind() const {
    constexpr char kKey[] = "general.type";
    if (!keys_.Has(kKey)) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::string_view type, keys_.GetString(kKey));
    if (type == "model") return absl::OkStatus();
    return Error(kKey, " is \"", ToAbsl(type),
                 "\"; only files of the type \"model\" can be converted");
  }

  std::vector<std::string> TakeWarnings() { return std::move(warnings_); }

 private:
  template <typename... Parts>
  absl::Status Error(const std::string& key, const Parts&... parts) const {
    return absl::InvalidArgumentError(
        absl::StrCat(DescribeGgufKey(keys_.path(), key), parts...));
  }

  absl::Status CheckValue(const std::string& key, const KnownKey& known) const {
    if (known.neutral == Neutral::kAny) return absl::OkStatus();
    if (known.neutral == Neutral::kEmpty) {
      ASSIGN_OR_RETURN(const std::vector<std::int64_t> numbers,
                       keys_.GetInts(key));
      for (const std::int64_t number : numbers) {
        if (number != 0 || known.name == "ggml.suppress_tokens") {
          return Error(key, " asks for ", ToAbsl(known.feature),
                       ", which is not computed; it must be empty");
        }
      }
      return absl::OkStatus();
    }
    double value = 0;
    if (const auto* flag = std::get_if<bool>(&keys_.keys().at(key))) {
      value = *flag ? 1 : 0;
    } else {
      ASSIGN_OR_RETURN(value, keys_.GetNumber(key));
    }
    if (known.neutral == Neutral::kTrue
            ? value == 1
            : value == 0 || (known.neutral == Neutral::kOne && value == 1)) {
      return absl::OkStatus();
    }
    return Error(key, " is ", value, " and asks for ", ToAbsl(known.feature),
                 ", which is not computed; it must be ",
                 known.neutral == Neutral::kZero  ? "0 or false"
                 : known.neutral == Neutral::kOne ? "1"
                                                  : "true");
  }

  const GgufFile& keys_;
  std::vector<std::string> warnings_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> CheckGgufKeys(
    const GgufFile& keys, std::string_view architecture,
    const BaseConfig& config) {
  KeyChecker checker(keys);
  RETURN_IF_ERROR(checker.CheckKind());
  RETURN_IF_ERROR(
      checker.Check(absl::StrCat(ToAbsl(architecture), "."), kModelKeys));
  RETURN_IF_ERROR(checker.CheckAttention(architecture, config));
  RETURN_IF_ERROR(checker.Check("tokenizer.", kTokenizerKeys));
  return checker.TakeWarnings();
}

}  // namespace apollo
