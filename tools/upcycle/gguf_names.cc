#include "tools/upcycle/gguf_names.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

// The Hugging Face name and the GGUF name of a tensor; in layers, the parts
// after "model.layers.<i>." and "blk.<i>.".
struct NamePair {
  std::string_view hugging_face;
  std::string_view gguf;
};

constexpr NamePair kGlobalNames[] = {
    {"model.embed_tokens.weight", "token_embd.weight"},
    {"model.norm.weight", "output_norm.weight"},
    {"lm_head.weight", "output.weight"},
};

constexpr NamePair kLayerNames[] = {
    {"input_layernorm.weight", "attn_norm.weight"},
    {"post_attention_layernorm.weight", "ffn_norm.weight"},
    {"self_attn.q_proj.weight", "attn_q.weight"},
    {"self_attn.k_proj.weight", "attn_k.weight"},
    {"self_attn.v_proj.weight", "attn_v.weight"},
    {"self_attn.q_proj.bias", "attn_q.bias"},
    {"self_attn.k_proj.bias", "attn_k.bias"},
    {"self_attn.v_proj.bias", "attn_v.bias"},
    {"self_attn.q_norm.weight", "attn_q_norm.weight"},
    {"self_attn.k_norm.weight", "attn_k_norm.weight"},
    {"self_attn.o_proj.weight", "attn_output.weight"},
    {"mlp.gate_proj.weight", "ffn_gate.weight"},
    {"mlp.up_proj.weight", "ffn_up.weight"},
    {"mlp.down_proj.weight", "ffn_down.weight"},
};

// Reasons for which tensors with this in their name are refused.
struct Reason {
  std::string_view part;
  std::string_view text;
};

constexpr Reason kReasons[] = {
    {"rope_factors_", "LongRoPE's positions are not computed"},
    {"attn_q_norm", "its architecture has no norms of queries"},
    {"attn_k_norm", "its architecture has no norms of keys"},
    {"attn_sinks", "attention sinks are not computed"},
    {"attn_qkv", "joined queries, keys and values cannot be converted"},
    {"_exps", "experts: only dense models can be converted"},
    {"_shexp", "experts: only dense models can be converted"},
    {"ffn_gate_inp", "experts: only dense models can be converted"},
    {".scale", "scales of tensors cannot be converted"},
    {".bias", "this bias is not computed"},
};

// Splits "blk.7.attn_q.weight" into 7 and "attn_q.weight".
struct LayerName {
  std::int64_t layer;
  std::string_view rest;
};

std::optional<LayerName> ParseLayerName(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  const std::size_t dot = name.find('.');
  LayerName result;
  if (dot == std::string_view::npos ||
      !absl::SimpleAtoi(ToAbsl(name.substr(0, dot)), &result.layer)) {
    return std::nullopt;
  }
  result.rest = name.substr(dot + 1);
  return result;
}

bool IsRead(std::string_view name, const BaseConfig& config) {
  if (name == "rope_freqs.weight") return true;
  for (const NamePair& pair : kGlobalNames) {
    if (pair.gguf == name) return true;
  }
  const std::optional<LayerName> parsed = ParseLayerName(name);
  if (!parsed.has_value() || parsed->layer < 0 ||
      parsed->layer >= config.num_layers ||
      name != absl::StrCat("blk.", parsed->layer, ".", ToAbsl(parsed->rest))) {
    return false;
  }
  for (const NamePair& pair : kLayerNames) {
    if (pair.gguf != parsed->rest) continue;
    if (pair.gguf == "attn_q_norm.weight" ||
        pair.gguf == "attn_k_norm.weight") {
      return config.qk_norm;
    }
    return config.attention_bias || !pair.gguf.ends_with(".bias");
  }
  return false;
}

}  // namespace

std::string GgufName(std::string_view name) {
  for (const NamePair& pair : kGlobalNames) {
    if (pair.hugging_face == name) return std::string(pair.gguf);
  }
  constexpr std::string_view kPrefix = "model.layers.";
  if (!name.starts_with(kPrefix)) return "";
  name.remove_prefix(kPrefix.size());
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return "";
  for (const NamePair& pair : kLayerNames) {
    if (pair.hugging_face == name.substr(dot + 1)) {
      return absl::StrCat("blk.", ToAbsl(name.substr(0, dot)), ".",
                          ToAbsl(pair.gguf));
    }
  }
  return "";
}

absl::Status CheckGgufTensors(const GgufModel& model,
                              const BaseConfig& config) {
  for (const std::string_view name : model.TensorNames()) {
    if (IsRead(name, config)) continue;
    std::string_view text = "no Llama or Qwen model has it";
    const std::optional<LayerName> parsed = ParseLayerName(name);
    if (parsed.has_value() && parsed->layer >= config.num_layers) {
      text = "its layer is not below the block_count";
    } else {
      for (const Reason& reason : kReasons) {
        if (name.find(reason.part) != std::string_view::npos) {
          text = reason.text;
          break;
        }
      }
    }
    return absl::InvalidArgumentError(absl::StrCat(
        model.Where(name), " cannot be converted: ", ToAbsl(text)));
  }
  return absl::OkStatus();
}

}  // namespace apollo
