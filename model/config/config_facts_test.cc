#include "model/config/config_facts.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace apollo {
namespace {

using Change = void (*)(ModelConfig&);

// One change for each field except the architecture name and the prompt format.
constexpr Change kChanges[] = {
    [](ModelConfig& c) { ++c.hidden_size; },
    [](ModelConfig& c) { ++c.num_layers; },
    [](ModelConfig& c) { ++c.boundary; },
    [](ModelConfig& c) { ++c.intermediate_size; },
    [](ModelConfig& c) { ++c.moe_intermediate_size; },
    [](ModelConfig& c) { ++c.num_heads; },
    [](ModelConfig& c) { ++c.num_kv_heads; },
    [](ModelConfig& c) { ++c.head_size; },
    [](ModelConfig& c) { ++c.num_experts; },
    [](ModelConfig& c) { ++c.experts_per_token; },
    [](ModelConfig& c) { c.norm_topk_prob = !c.norm_topk_prob; },
    [](ModelConfig& c) { c.shared_expert = !c.shared_expert; },
    [](ModelConfig& c) { c.attention_bias = !c.attention_bias; },
    [](ModelConfig& c) { c.qk_norm = !c.qk_norm; },
    [](ModelConfig& c) { c.output_bias = !c.output_bias; },
    [](ModelConfig& c) { c.tie_word_embeddings = !c.tie_word_embeddings; },
    [](ModelConfig& c) { ++c.vocab_size; },
    [](ModelConfig& c) { ++c.max_context; },
    [](ModelConfig& c) { c.rope_theta += 1e-9; },
    [](ModelConfig& c) { c.rope_scaling.type = RopeType::kLinear; },
    [](ModelConfig& c) { c.rms_norm_eps = 1.0000001e-6f; },
    [](ModelConfig& c) { c.eos_tokens.push_back(3); },
};

// Mirrors ModelConfig, so that adding a field breaks the build here: add it to
// ConfigFacts, to kChanges and below.
struct Known {
  std::string architecture;
  int sizes[10];
  bool flags[6];
  int vocab_size, max_context;
  double rope_theta;
  RopeScaling rope_scaling;  // rope_scaling_test covers its fields.
  float rms_norm_eps;
  std::vector<std::int32_t> eos_tokens;
  std::vector<std::int32_t> added_ends;  // A part of eos_tokens.
  PromptFormat prompt_format;
  ChatTemplateUse chat_template_use;
};
static_assert(sizeof(Known) == sizeof(ModelConfig));

TEST(ConfigFactsTest, EveryFieldCounts) {
  ModelConfig config;
  config.rope_theta = 1;
  config.rms_norm_eps = 1e-6f;
  std::set<std::string> facts = {ConfigFacts(config)};
  std::size_t count = 1;
  for (const Change change : kChanges) {
    ModelConfig changed = config;
    change(changed);
    facts.insert(ConfigFacts(changed));
    EXPECT_EQ(facts.size(), ++count) << "change " << count - 2;
  }
}

TEST(ConfigFactsTest, WhatOnlyARouterUsesDoesNotCount) {
  ModelConfig config, changed;
  changed.architecture = "another";
  changed.prompt_format = PromptFormat::kChatMl;
  changed.chat_template_use = ChatTemplateUse::kAlways;
  EXPECT_EQ(ConfigFacts(config), ConfigFacts(changed));
}

}  // namespace
}  // namespace apollo
