#include "model/config/config_facts.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include <string>

#include "model/config/rope_scaling.h"

namespace apollo {

std::string ConfigFacts(const ModelConfig& c) {
  std::string facts = absl::StrFormat(
      "%d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %.17g %.9g %s",
      c.hidden_size, c.num_layers, c.boundary, c.intermediate_size,
      c.moe_intermediate_size, c.num_heads, c.num_kv_heads, c.num_experts,
      c.experts_per_token, c.norm_topk_prob, c.shared_expert, c.attention_bias,
      c.tie_word_embeddings, c.vocab_size, c.max_context, c.head_size,
      c.rope_theta, c.rms_norm_eps, absl::StrJoin(c.eos_tokens, ","));
  // Only if set, so that models without have the facts of older versions.
  if (c.qk_norm) absl::StrAppend(&facts, " qk_norm");
  if (c.output_bias) absl::StrAppend(&facts, " output_bias");
  const std::string rope = RopeScalingFacts(c.rope_scaling);
  if (!rope.empty()) absl::StrAppend(&facts, " ", rope);
  return facts;
}

}  // namespace apollo
