#include "tools/upcycle/config_export.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

namespace apollo {
namespace {

const char* TorchName(DType dtype) {
  switch (dtype) {
    case DType::kF16:
      return "float16";
    case DType::kBF16:
      return "bfloat16";
    default:
      return "float32";
  }
}

const char* PromptFormatOf(const BaseConfig& base,
                           const UpcycleOptions& options) {
  switch (options.prompt_format) {
    case PromptFormatChoice::kApollo:
      return "apollo";
    case PromptFormatChoice::kChatMl:
      return "chatml";
    case PromptFormatChoice::kAuto:
      break;
  }
  return base.chat_files.empty() ? "apollo" : "template";
}

}  // namespace

std::string ExportConfig(const BaseConfig& base, const UpcycleOptions& options,
                         DType dtype) {
  std::vector<std::int64_t> dense_layers;
  for (std::int64_t i = 0; i < base.num_layers - options.sparse_layers; ++i) {
    dense_layers.push_back(i);
  }
  nlohmann::ordered_json json;
  json["architectures"] = {"UpcyclingQwen2MoeForCausalLM"};
  json["model_type"] = "upcycling-qwen2-moe";
  json["hidden_size"] = base.hidden_size;
  json["intermediate_size"] = base.intermediate_size;
  json["moe_intermediate_size"] = base.intermediate_size;
  json["num_hidden_layers"] = base.num_layers;
  json["mlp_only_layers"] = dense_layers;
  json["num_attention_heads"] = base.num_heads;
  json["num_key_value_heads"] = base.num_kv_heads;
  if (base.head_size() * base.num_heads != base.hidden_size) {
    json["head_dim"] = base.head_size();
  }
  json["attention_bias"] = base.attention_bias;
  if (base.qk_norm) json["use_qk_norm"] = true;
  json["num_experts"] = options.experts;
  json["num_experts_per_tok"] = options.top_k;
  json["norm_topk_prob"] = options.norm_topk_prob;
  json["decoder_sparse_step"] = 1;
  json["share_flag"] = false;
  json["language_gate"] = true;
  json["tie_word_embeddings"] = base.tied_embeddings;
  json["hidden_act"] = "silu";
  json["rope_theta"] = base.rope_theta;
  if (!base.rope_scaling.is_null()) json["rope_scaling"] = base.rope_scaling;
  json["rms_norm_eps"] = base.rms_norm_eps;
  json["vocab_size"] = base.vocab_size;
  json["max_position_embeddings"] = base.max_positions;
  json["use_sliding_window"] = false;
  if (base.bos_token_id >= 0) json["bos_token_id"] = base.bos_token_id;
  if (base.eos_token_ids.size() == 1) {
    json["eos_token_id"] = base.eos_token_ids[0];
  } else {
    json["eos_token_id"] = base.eos_token_ids;
  }
  json["torch_dtype"] = TorchName(dtype);
  json["prompt_format"] = PromptFormatOf(base, options);
  return json.dump(2) + "\n";
}

}  // namespace apollo
