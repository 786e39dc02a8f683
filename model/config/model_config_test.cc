#include "model/config/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/json.h"

namespace apollo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
  EXPECT_EQ(config->chat_template_use, ChatTemplateUse::kNever);
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
  EXPECT_EQ(config->chat_template_use, ChatTemplateUse::kNever);
}

TEST(ModelConfigTest, TheTemplateOfAModelWithExpertsMustBeAskedFor) {
  Json json = Published();
  json["prompt_format"] = "template";
  EXPECT_EQ(Parse(json)->chat_template_use, ChatTemplateUse::kAlways);
  json["prompt_format"] = nullptr;
  EXPECT_EQ(Parse(json)->chat_template_use, ChatTemplateUse::kNever);
  json["architectures"] = {"LlamaForCausalLM"};
  json["model_type"] = "llama";
  for (const char* key :
       {"num_experts", "num_experts_per_tok", "moe_intermediate_size",
        "mlp_only_layers", "norm_topk_prob", "share_flag", "language_gate"}) {
    json.erase(key);
  }
  const auto dense = Parse(json);
  ASSERT_TRUE(dense.ok()) << dense.status();
  EXPECT_EQ(dense->chat_template_use, ChatTemplateUse::kIfPresent);
  json["prompt_format"] = "jinja";
  EXPECT_THAT(Parse(json).status().message(),
              HasSubstr("\"chatml\" or \"template\""));
}

TEST(ModelConfigTest, EveryRequiredKeyIsNamedWhenMissing) {
  for (const char* key :
       {"hidden_size", "intermediate_size", "moe_intermediate_size",
        "num_hidden_layers", "num_attention_heads", "num_experts",
        "num_experts_per_tok", "rope_theta", "rms_norm_eps", "vocab_size",
        "max_position_embeddings", "eos_token_id"}) {
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
      {"rope_scaling", "yarn"},
      {"use_sliding_window", true},
      {"head_dim", 0},
      {"head_dim", -64},
      {"head_dim", 63},
      {"head_dim", 65538},
      {"head_dim", "64"},
      {"use_qk_norm", 1},
      {"qk_norm", "yes"},
      {"prompt_format", "alpaca"},
      {"qkv_bias", "no"},
      {"mlp_bias", true},
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

TEST(ModelConfigTest, TheTypeOfTheModelIsEnough) {
  for (const bool missing : {false, true}) {
    Json json = Published();
    json["architectures"] = nullptr;
    if (missing) json.erase("architectures");
    const auto config = Parse(json);
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->architecture, "UpcyclingQwen2MoeForCausalLM");
    json.erase("model_type");
    EXPECT_THAT(std::string(Parse(json).status().message()),
                HasSubstr("dir/config.json: key \"architectures\""));
  }
}

TEST(ModelConfigTest, WithoutEndTokensNoAnswerWouldEnd) {
  Json json = Published();
  json["eos_token_id"] = nullptr;
  EXPECT_THAT(std::string(Parse(json).status().message()),
              HasSubstr("key \"eos_token_id\" is missing, so that no answer "
                        "would end; it must be a token id below 151936"));
  json["eos_token_id"] = Json::array();  // Said, hence allowed.
  std::vector<std::string> warnings;
  const auto config = ParseModelConfig(json.dump(), "c", &warnings);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->eos_tokens, IsEmpty());
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("\"eos_token_id\" is []")));
}

TEST(ModelConfigTest, BothNamesOfTheBiasesCount) {
  Json json = Published();
  json["qkv_bias"] = false;
  EXPECT_FALSE(Parse(json)->attention_bias);
  json["attention_bias"] = true;
  EXPECT_THAT(std::string(Parse(json).status().message()),
              HasSubstr("\"qkv_bias\" is false; it must be that of "
                        "\"attention_bias\", true"));
  json["qkv_bias"] = true;
  EXPECT_TRUE(Parse(json)->attention_bias);
}

TEST(ModelConfigTest, BothNamesOfTheNormsOfQueriesAndKeysCount) {
  Json json = Published();
  EXPECT_FALSE(Parse(json)->qk_norm);
  json["qk_norm"] = true;
  EXPECT_TRUE(Parse(json)->qk_norm);
  json["use_qk_norm"] = false;
  EXPECT_THAT(std::string(Parse(json).status().message()),
              HasSubstr("\"qk_norm\" is true; it must be that of "
                        "\"use_qk_norm\", false"));
  json["use_qk_norm"] = true;
  EXPECT_TRUE(Parse(json)->qk_norm);
}

TEST(ModelConfigTest, HeadsMayHaveASizeOfTheirOwn) {
  Json json = Published();
  json["head_dim"] = 128;
  auto config = Parse(json);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->head_size, 128);
  EXPECT_EQ(config->q_size(), 1792);
  EXPECT_EQ(config->kv_size(), 256);
  json["hidden_size"] = 1000;  // No multiple of the number of heads.
  config = Parse(json);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->head_size, 128);
  json["head_dim"] = nullptr;
  EXPECT_THAT(std::string(Parse(json).status().message()),
              HasSubstr("\"hidden_size\" is 1000; it must be a multiple of 2 "
                        "x num_attention_heads = 28, unless there is a "
                        "head_dim"));
}

// All keys of the published 0.5B file.
TEST(ModelConfigTest, PublishedFilesGiveNoWarning) {
  Json json = Published();
  json.update({{"_name_or_path", "/path"},
               {"attention_dropout", 0.0},
               {"auto_map", {{"AutoConfig", "configuration.Config"}}},
               {"attn_init_change", false},
               {"decoder_sparse_step", 1},
               {"initializer_range", 0.02},
               {"max_window_layers", 24},
               {"output_router_logits", false},
               {"router_aux_loss_coef", 0.0},
               {"shared_expert_intermediate_size", 4864},
               {"sliding_window", 131072},
               {"use_sliding_window", false},
               {"torch_dtype", "bfloat16"},
               {"transformers_version", "4.41.2"},
               {"use_cache", true}});
  std::vector<std::string> warnings;
  const auto config = ParseModelConfig(json.dump(), "c", &warnings);
  EXPECT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(warnings, IsEmpty());
}

// As transformers 5 writes it.
TEST(ModelConfigTest, NewerFilesGiveTheSameConfig) {
  Json json = Published();
  json.erase("rope_theta");
  json.update(
      {{"rope_parameters", {{"rope_theta", 1e6}, {"rope_type", "default"}}},
       {"dtype", "bfloat16"},
       {"torch_dtype", "bfloat16"},
       {"layer_types", Json::array({"full_attention", "full_attention"})},
       {"sliding_window", nullptr},
       {"use_sliding_window", false},
       {"qkv_bias", true},
       {"pad_token_id", nullptr},
       {"transformers_version", "5.0.0"}});
  std::vector<std::string> warnings;
  const auto config = ParseModelConfig(json.dump(), "c", &warnings);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->rope_theta, 1e6);
  EXPECT_TRUE(config->attention_bias);
  EXPECT_THAT(warnings, IsEmpty());
}

TEST(ModelConfigTest, ReadsTheScalingOfPositionsAndItsContext) {
  Json json = Published();
  json["max_position_embeddings"] = 32768;
  json["rope_scaling"] = {{"type", "yarn"},
                          {"factor", 4.0},
                          {"original_max_position_embeddings", 32768}};
  std::vector<std::string> warnings;
  const auto config = ParseModelConfig(json.dump(), "c", &warnings);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->rope_scaling.type, RopeType::kYarn);
  EXPECT_EQ(config->rope_scaling.factor, 4);
  EXPECT_EQ(config->rope_scaling.original_context, 32768);
  EXPECT_EQ(config->max_context, 131072);
  EXPECT_THAT(warnings, IsEmpty());
  json["rope_scaling"]["type"] = "longrope";
  EXPECT_THAT(
      std::string(ParseModelConfig(json.dump(), "c").status().message()),
      HasSubstr("c: \"rope_scaling.type\" is \"longrope\""));
}

TEST(ModelConfigTest, WarnsOfWhatIsIgnored) {
  Json json = Published();
  json["sliding_window"] = 4096;
  json["new_gate"] = 1;
  json["rope_parameters"] = {{"rope_theta", 10000}};
  std::vector<std::string> warnings;
  const auto config = ParseModelConfig(json.dump(), "c", &warnings);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->rope_theta, 10000);
  EXPECT_THAT(warnings,
              ElementsAre("c: unknown keys \"new_gate\" are ignored",
                          HasSubstr("\"rope_parameters.rope_theta\" is 10000"),
                          HasSubstr("\"sliding_window\" is 4096 without")));
}

std::string Error(const std::string& text) {
  return std::string(
      ParseModelConfig(text, "dir/config.json").status().message());
}

// Infinity and NaN are not JSON, though Python writes them.
TEST(ModelConfigTest, NumbersThatAreNotFiniteLoadInUnusedKeys) {
  for (const char* number : {"Infinity", "-Infinity", "NaN"}) {
    std::string text = Published().dump();
    text.insert(1, std::string("\"router_aux_loss_coef\": ") + number + ", ");
    std::vector<std::string> warnings;
    const auto config = ParseModelConfig(text, "c", &warnings);
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->rope_theta, Parse(Published())->rope_theta);
    EXPECT_THAT(warnings, IsEmpty());
  }
}

TEST(ModelConfigTest, NumbersThatAreNotFiniteAreNamedInUsedKeys) {
  for (const char* key : {"rms_norm_eps", "rope_theta", "hidden_size",
                          "eos_token_id", "partial_rotary_factor"}) {
    for (const char* number : {"Infinity", "-Infinity", "NaN"}) {
      Json json = Published();
      json.erase(key);
      std::string text = json.dump();
      text.insert(1, std::string("\"") + key + "\": " + number + ", ");
      EXPECT_THAT(Error(text),
                  HasSubstr(std::string("dir/config.json: \"") + key +
                            "\" is " + number + "; it must be "));
    }
  }
}

// Python takes the last; which of them was meant is not clear.
TEST(ModelConfigTest, NamesAKeyThatOccursTwice) {
  std::string text = Published().dump();
  text.insert(1, "\"rms_norm_eps\": 0.001, ");
  EXPECT_THAT(Error(text), HasSubstr("dir/config.json: duplicate key "
                                     "\"rms_norm_eps\""));
}

TEST(ModelConfigTest, TheTypeOfTheFileMayBeAnything) {
  for (const Json& value : {Json("float8_e4m3fn"), Json("torch.bfloat16"),
                            Json(nullptr), Json(16), Json({{"", "float32"}})}) {
    Json json = Published();
    json["dtype"] = value;
    json["torch_dtype"] = "float16";
    std::vector<std::string> warnings;
    EXPECT_TRUE(ParseModelConfig(json.dump(), "c", &warnings).ok());
    EXPECT_THAT(warnings, IsEmpty());
  }
}

class ModelDirectoryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    Write("config.json", Published().dump());
  }
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ + "/" + name) << text;
  }
  const std::string directory_ = testing::TempDir() + "/model_directory";
};

TEST_F(ModelDirectoryTest, GenerationConfigAddsEnds) {
  EXPECT_THAT(LoadModelConfig(directory_)->eos_tokens, ElementsAre(151643));
  Write("generation_config.json",
        R"({"eos_token_id": [151645, 151643], "temperature": Infinity})");
  std::vector<std::string> warnings;
  const auto config = LoadModelConfig(directory_, &warnings);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->eos_tokens, ElementsAre(151643, 151645));
  EXPECT_THAT(config->added_ends, ElementsAre(151645));
  EXPECT_THAT(warnings, IsEmpty());
  Json json = Published();
  json.erase("eos_token_id");
  Write("config.json", json.dump());
  EXPECT_THAT(LoadModelConfig(directory_)->eos_tokens,
              ElementsAre(151645, 151643));
}

// Its ends would be lost in silence.
TEST_F(ModelDirectoryTest, NamesAGenerationConfigThatCannotBeRead) {
  std::filesystem::create_symlink("nowhere",
                                  directory_ + "/generation_config.json");
  const absl::Status status = LoadModelConfig(directory_).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(directory_ + "/generation_config.json"));
}

TEST_F(ModelDirectoryTest, NamesAWrongGenerationConfig) {
  const struct {
    const char* text;
    const char* error;
  } kCases[] = {
      {"", ": malformed JSON"},
      {"{\"eos_token_id\": 1", ": malformed JSON"},
      {"[]", ": must be a JSON object"},
      {"{\"eos_token_id\": 151936}", ": \"eos_token_id\" is 151936; it must"},
      {"{\"eos_token_id\": NaN}", ": \"eos_token_id\" is NaN; it must be"},
      {"{\"top_k\": 1, \"top_k\": 2}", ": duplicate key \"top_k\""},
  };
  for (const auto& c : kCases) {
    Write("generation_config.json", c.text);
    EXPECT_THAT(std::string(LoadModelConfig(directory_).status().message()),
                HasSubstr(directory_ + "/generation_config.json" + c.error))
        << c.text;
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
