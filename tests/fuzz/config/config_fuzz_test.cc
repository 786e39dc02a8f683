// A config.json of any bytes is either rejected, naming the file, or satisfies
// the ranges promised by model_config.h.

#include <absl/strings/match.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/check.h"
#include "model/config/model_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const auto config = apollo::ParseModelConfig(
      {reinterpret_cast<const char*>(data), size}, "fuzz.json");
  if (!config.ok()) {
    APOLLO_CHECK(absl::StrContains(config.status().message(), "fuzz.json"));
    return 0;
  }
  const apollo::ModelConfig& c = *config;
  const auto within = [](std::int64_t value, std::int64_t low,
                         std::int64_t high) {
    return value >= low && value <= high;
  };
  APOLLO_CHECK(!c.architecture.empty());
  APOLLO_CHECK(within(c.hidden_size, 1, 65536));
  APOLLO_CHECK(within(c.num_layers, 1, 1024));
  APOLLO_CHECK(within(c.boundary, 0, c.num_layers - 1));
  APOLLO_CHECK(within(c.intermediate_size, 1, 1 << 20));
  APOLLO_CHECK(within(c.num_heads, 1, 1024));
  APOLLO_CHECK(within(c.num_kv_heads, 1, c.num_heads));
  APOLLO_CHECK(c.num_heads % c.num_kv_heads == 0);
  APOLLO_CHECK(within(c.head_size, 2, 65536) && c.head_size % 2 == 0);
  if (c.is_dense()) {
    APOLLO_CHECK(c.boundary == c.num_layers - 1);
    APOLLO_CHECK(c.moe_intermediate_size == 0 && c.experts_per_token == 0);
  } else {
    APOLLO_CHECK(within(c.moe_intermediate_size, 1, 1 << 20));
    APOLLO_CHECK(within(c.num_experts, 1, 1024));
    APOLLO_CHECK(within(c.experts_per_token, 1, c.num_experts));
  }
  APOLLO_CHECK(within(c.vocab_size, 1, 1 << 24));
  APOLLO_CHECK(within(c.max_context, 1, 1 << 24));
  APOLLO_CHECK(std::isfinite(c.rope_theta) && c.rope_theta > 0);
  const apollo::RopeScaling& rope = c.rope_scaling;
  APOLLO_CHECK(rope.factor >= 1 && rope.factor <= 1e6);
  APOLLO_CHECK(within(rope.original_context, 0, 1 << 24));
  APOLLO_CHECK(rope.beta_slow > 0 && rope.beta_fast >= rope.beta_slow);
  APOLLO_CHECK(std::isfinite(rope.attention_factor) &&
               rope.attention_factor > 0);
  APOLLO_CHECK(rope.low_freq_factor > 0 &&
               rope.high_freq_factor > rope.low_freq_factor);
  APOLLO_CHECK(std::isfinite(c.rms_norm_eps) && c.rms_norm_eps > 0);
  for (const std::int32_t token : c.eos_tokens) {
    APOLLO_CHECK(within(token, 0, c.vocab_size - 1));
  }
  return 0;
}
