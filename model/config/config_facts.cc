#include "model/config/config_facts.h"

#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include <string>

#include "model/config/rope_scaling.h"

namespace apollo {

std::string ConfigFacts(const ModelConfig& c) {
  // Equal to those of older builds where nothing is scaled.
  const std::string rope = RopeScalingFacts(c.rope_scaling);
  return absl::StrFormat(
      "%d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %.17g %.9g %s%s%s",
      c.hidden_size, c.num_layers, c.boundary, c.intermediate_size,
      c.moe_intermediate_size, c.num_heads, c.num_kv_heads, c.num_experts,
      c.experts_per_token, c.norm_topk_prob, c.shared_expert, c.attention_bias,
      c.tie_word_embeddings, c.vocab_size, c.max_context, c.head_size,
      c.rope_theta, c.rms_norm_eps, absl::StrJoin(c.eos_tokens, ","),
      rope.empty() ? "" : " ", rope);
}

}  // namespace apollo
