// What each architecture adds to its config.json: the facts of its code, and
// the absence of experts.
#include "model/config/architecture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "model/config/model_config.h"

namespace apollo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A config as transformers writes it for each of these types.
Json Dense(const std::string& type, const std::string& name) {
  return Json{
      {"architectures", {name}},     {"model_type", type},
      {"hidden_act", "silu"},        {"hidden_size", 896},
      {"intermediate_size", 4864},   {"num_hidden_layers", 24},
      {"num_attention_heads", 14},   {"num_key_value_heads", 2},
      {"rope_theta", 1000000.0},     {"rms_norm_eps", 1e-6},
      {"vocab_size", 151936},        {"eos_token_id", 151643},
      {"tie_word_embeddings", true}, {"max_position_embeddings", 32768}};
}
Json Qwen2() { return Dense("qwen2", "Qwen2ForCausalLM"); }
Json Qwen3() {
  Json json = Dense("qwen3", "Qwen3ForCausalLM");
  json["head_dim"] = 128;
  return json;
}
Json Llama() { return Dense("llama", "LlamaForCausalLM"); }

absl::StatusOr<ModelConfig> Parse(const Json& json) {
  std::vector<std::string> warnings;
  auto config = ParseModelConfig(json.dump(), "dir/config.json", &warnings);
  EXPECT_THAT(warnings, IsEmpty());
  return config;
}

std::string ErrorOf(const Json& json) {
  return std::string(Parse(json).status().message());
}

TEST(ArchitectureTest, DenseModelsHaveTheirLastLayerAfterTheBoundary) {
  for (const Json& json : {Qwen2(), Qwen3(), Llama()}) {
    const auto config = Parse(json);
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->architecture, json["architectures"][0]);
    EXPECT_TRUE(config->is_dense());
    EXPECT_EQ(config->boundary, 23);
    EXPECT_EQ(config->num_layers_after(), 1);
    EXPECT_EQ(config->num_sparse_layers(), 0);
    EXPECT_FALSE(config->IsSparse(23));
    EXPECT_EQ(config->num_experts, 0);
    EXPECT_EQ(config->experts_per_token, 0);
    EXPECT_EQ(config->moe_intermediate_size, 0);
    Json one = json;
    one["num_hidden_layers"] = 1;
    EXPECT_EQ(Parse(one)->boundary, 0);
  }
}

TEST(ArchitectureTest, EachHasTheAttentionOfItsCode) {
  const auto qwen2 = Parse(Qwen2()), qwen3 = Parse(Qwen3()),
             llama = Parse(Llama());
  ASSERT_TRUE(qwen2.ok() && qwen3.ok() && llama.ok());
  EXPECT_TRUE(qwen2->attention_bias);
  EXPECT_FALSE(qwen3->attention_bias);
  EXPECT_FALSE(llama->attention_bias);
  EXPECT_FALSE(qwen2->qk_norm);
  EXPECT_TRUE(qwen3->qk_norm);
  EXPECT_FALSE(llama->qk_norm);
  EXPECT_EQ(qwen2->head_size, 64);
  EXPECT_EQ(qwen3->head_size, 128);
  EXPECT_EQ(qwen3->q_size(), 1792);
  EXPECT_EQ(llama->head_size, 64);
}

TEST(ArchitectureTest, MissingKeysHaveTheDefaultsOfItsCode) {
  Json json = Qwen3();
  json.erase("head_dim");
  json.erase("rope_theta");
  auto config = Parse(json);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->head_size, 128);
  EXPECT_EQ(config->rope_theta, 10000);
  json["head_dim"] = 32;
  json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 5e6}};
  config = Parse(json);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->head_size, 32);
  EXPECT_EQ(config->rope_theta, 5e6);
}

TEST(ArchitectureTest, EitherNameIsEnough) {
  for (const Json& whole : {Qwen2(), Qwen3(), Llama()}) {
    for (const char* key : {"architectures", "model_type"}) {
      Json json = whole;
      json.erase(key);
      const auto config = Parse(json);
      ASSERT_TRUE(config.ok()) << config.status();
      EXPECT_EQ(config->architecture, whole["architectures"][0]);
    }
  }
}

TEST(ArchitectureTest, OthersAreRefusedWithTheRightOnes) {
  Json json = Llama();
  json["architectures"] = {"Qwen2ForCausalLM"};
  EXPECT_EQ(Parse(json).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(ErrorOf(json),
              HasSubstr("dir/config.json: \"architectures\" is "
                        "[\"Qwen2ForCausalLM\"]; it must be "
                        "[\"LlamaForCausalLM\"], because model_type is "
                        "\"llama\""));
  json["model_type"] = "gemma3";
  EXPECT_EQ(Parse(json).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(ErrorOf(json),
              HasSubstr("\"model_type\" is \"gemma3\"; it must be "
                        "\"upcycling-qwen2-moe\", \"qwen2\", \"qwen3\" or "
                        "\"llama\""));
  json.erase("model_type");
  json["architectures"] = {"MistralForCausalLM"};
  EXPECT_EQ(Parse(json).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(ErrorOf(json), HasSubstr("[\"LlamaForCausalLM\"]"));
}

TEST(ArchitectureTest, KeysThatTheCodeDoesNotHaveMustNotDiffer) {
  const struct {
    Json json;
    const char* key;
    bool right;
  } kCases[] = {{Qwen2(), "attention_bias", true}, {Qwen2(), "qkv_bias", true},
                {Qwen2(), "use_qk_norm", false},   {Qwen2(), "qk_norm", false},
                {Qwen3(), "use_qk_norm", true},    {Qwen3(), "qk_norm", true},
                {Llama(), "use_qk_norm", false},   {Llama(), "qk_norm", false}};
  for (const auto& c : kCases) {
    Json json = c.json;
    json[c.key] = c.right;
    EXPECT_TRUE(Parse(json).ok()) << c.key << Parse(json).status();
    json[c.key] = nullptr;
    EXPECT_TRUE(Parse(json).ok()) << c.key;
    json[c.key] = !c.right;
    EXPECT_EQ(Parse(json).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(
        ErrorOf(json),
        AllOf(HasSubstr(std::string("dir/config.json: \"") + c.key + "\" is "),
              HasSubstr("or null, because model_type is \"")));
  }
}

TEST(ArchitectureTest, BiasesOfLlamaAndQwen3AreThoseOfAllFourProjections) {
  for (Json json : {Qwen3(), Llama()}) {
    EXPECT_FALSE(Parse(json)->output_bias);
    json["attention_bias"] = true;
    EXPECT_TRUE(Parse(json)->attention_bias);
    EXPECT_TRUE(Parse(json)->output_bias);
    json.erase("attention_bias");
    json["qkv_bias"] = true;
    EXPECT_THAT(ErrorOf(json), HasSubstr("\"qkv_bias\" is true; it must be "
                                         "that of \"attention_bias\", false"));
  }
  EXPECT_FALSE(Parse(Qwen2())->output_bias);
}

TEST(ArchitectureTest, DenseModelsHaveNoKeysOfExperts) {
  const std::pair<const char*, Json> kKeys[] = {
      {"num_experts", 7},           {"num_experts_per_tok", 2},
      {"moe_intermediate_size", 8}, {"mlp_only_layers", Json::array()},
      {"norm_topk_prob", false},    {"share_flag", false}};
  for (const auto& [key, value] : kKeys) {
    Json json = Qwen3();
    json[key] = value;
    EXPECT_THAT(ErrorOf(json),
                AllOf(HasSubstr(std::string("\"") + key + "\" is "),
                      HasSubstr("it must be null, because model_type is "
                                "\"qwen3\", which has no experts")));
    json[key] = nullptr;
    EXPECT_TRUE(Parse(json).ok()) << key;
  }
}

TEST(ArchitectureTest, NamesAndTypesAreUnique) {
  std::set<std::string_view> names;
  for (const Architecture& architecture : Architectures()) {
    EXPECT_TRUE(names.insert(architecture.name).second);
    EXPECT_TRUE(names.insert(architecture.type).second);
  }
  EXPECT_EQ(names.size(), 8u);
}

}  // namespace
}  // namespace apollo
