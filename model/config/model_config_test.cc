#include "model/config/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/json.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;

// The published 0.5B config, reduced to the keys that are read.
Json Published() {
  Json layers = Json::array();
  for (int i = 0; i < 22; ++i) layers.push_back(i);
  return Json{{"architectures", {"UpcyclingQwen2MoeForCausalLM"}},
              {"model_type", "upcycling-qwen2-moe"},
              {"hidden_act", "silu"},
              {"hidden_size", 896},
              {"intermediate_size", 4864},
              {"moe_intermediate_size", 4864},
              {"num_hidden_layers", 24},
              {"mlp_only_layers", layers},
              {"num_attention_heads", 14},
              {"num_key_value_heads", 2},
              {"num_experts", 7},
              {"num_experts_per_tok", 2},
              {"norm_topk_prob", false},
              {"share_flag", false},
              {"language_gate", true},
              {"tie_word_embeddings", true},
              {"rope_theta", 1000000.0},
              {"rms_norm_eps", 1e-6},
              {"vocab_size", 151936},
              {"bos_token_id", 151643},
              {"eos_token_id", 151643},
              {"max_position_embeddings", 131072}};
}

absl::StatusOr<ModelConfig> Parse(const Json& json) {
  return ParseModelConfig(json.dump(), "dir/config.json");
}

TEST(ModelConfigTest, ReadsThePublishedConfig) {
  const auto config = Parse(Published());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->boundary, 22);
  EXPECT_EQ(config->num_sparse_layers(), 2);
  EXPECT_EQ(config->head_size, 64);
  EXPECT_EQ(config->kv_size(), 128);
  EXPECT_EQ(config->experts_per_token, 2);
  EXPECT_TRUE(config->attention_bias);  // The default.
  EXPECT_TRUE(config->tie_word_embeddings);
  EXPECT_FALSE(config->norm_topk_prob);
  EXPECT_EQ(config->eos_tokens, std::vector<std::int32_t>{151643});
  EXPECT_EQ(config->prompt_format, PromptFormat::kApollo);
}

TEST(ModelConfigTest, SparseThroughoutHasBoundaryZero) {
  Json json = Published();
  json["mlp_only_layers"] = Json::array();
  EXPECT_EQ(Parse(json)->boundary, 0);
  json.erase("mlp_only_layers");
  EXPECT_EQ(Parse(json)->boundary, 0);
}

TEST(ModelConfigTest, AcceptsAListOfEosTokensAndALlamaBase) {
  Json json = Published();
  json["eos_token_id"] = {2, 0};
  json["attention_bias"] = false;
  json["prompt_format"] = "chatml";
  const auto config = Parse(json);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->eos_tokens, (std::vector<std::int32_t>{2, 0}));
  EXPECT_FALSE(config->attention_bias);
  EXPECT_EQ(config->prompt_format, PromptFormat::kChatMl);
}

TEST(ModelConfigTest, EveryRequiredKeyIsNamedWhenMissing) {
  for (const char* key :
       {"architectures", "hidden_size", "intermediate_size",
        "moe_intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_experts", "num_experts_per_tok", "rope_theta", "rms_norm_eps",
        "vocab_size", "max_position_embeddings"}) {
    Json json = Published();
    json.erase(key);
    const auto config = Parse(json);
    ASSERT_FALSE(config.ok()) << key;
    EXPECT_THAT(std::string(config.status().message()),
                HasSubstr(std::string("dir/config.json: key \"") + key + "\""));
  }
}

TEST(ModelConfigTest, RefusesValuesOutOfRange) {
  const struct {
    const char* key;
    Json value;
  } kCases[] = {
      {"hidden_size", 0},
      {"hidden_size", -896},
      {"hidden_size", "896"},
      {"hidden_size", 896.5},
      {"hidden_size", 18446744073709551615u},
      {"hidden_size", 897},
      {"num_hidden_layers", 1000000000},
      {"num_attention_heads", 0},
      {"num_key_value_heads", 3},
      {"num_key_value_heads", 28},
      {"num_experts", 0},
      {"num_experts_per_tok", 8},
      {"num_experts_per_tok", 0},
      {"rope_theta", 0},
      {"rope_theta", "inf"},
      {"rms_norm_eps", -1e-6},
      {"rms_norm_eps", 1e-60},
      {"rms_norm_eps", 1e300},
      {"vocab_size", 1u << 30},
      {"eos_token_id", 151936},
      {"eos_token_id", -1},
      {"eos_token_id", {1, "x"}},
      {"norm_topk_prob", 1},
      {"mlp_only_layers", 22},
      {"mlp_only_layers", {0, 0}},
      {"mlp_only_layers", {24}},
      {"mlp_only_layers", {"0"}},
      {"hidden_act", "gelu"},
      {"rope_scaling", {{"type", "yarn"}}},
      {"use_sliding_window", true},
      {"head_dim", 128},
      {"prompt_format", "alpaca"},
  };
  for (const auto& c : kCases) {
    Json json = Published();
    json[c.key] = c.value;
    const auto config = Parse(json);
    ASSERT_FALSE(config.ok()) << c.key << " = " << c.value.dump();
    EXPECT_THAT(std::string(config.status().message()),
                HasSubstr(std::string("dir/config.json: \"") + c.key + "\""));
  }
}

TEST(ModelConfigTest, RefusesAnotherArchitecture) {
  Json json = Published();
  json["architectures"] = {"LlamaForCausalLM"};
  EXPECT_EQ(Parse(json).status().code(), absl::StatusCode::kUnimplemented);
  json = Published();
  json["model_type"] = "qwen2_moe";
  EXPECT_EQ(Parse(json).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(ModelConfigTest, RefusesSparseLayersThatAreNotTheLast) {
  Json json = Published();
  json["mlp_only_layers"] = {0, 1, 3};
  const auto gap = Parse(json);
  ASSERT_EQ(gap.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(gap.status().message()),
              HasSubstr("after sparse layer 2"));
  json["num_hidden_layers"] = 2;
  json["mlp_only_layers"] = {1, 0};
  EXPECT_THAT(std::string(Parse(json).status().message()),
              HasSubstr("every layer"));
}

TEST(ModelConfigTest, RefusesWhatIsNotAnObject) {
  EXPECT_FALSE(Parse(Json::array()).ok());
  EXPECT_FALSE(ParseModelConfig("{", "c").ok());
}

TEST(ModelConfigTest, NamesTheMissingFile) {
  const auto config = LoadModelConfig("/nonexistent");
  EXPECT_EQ(config.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(config.status().message()),
              HasSubstr("/nonexistent/config.json"));
}

}  // namespace
}  // namespace apollo
