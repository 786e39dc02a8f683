#include "model/weights/unread_tensors.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/mapped_file.h"
#include "model/weights/test_models.h"

namespace apollo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Layer 0 of Tiny() is dense, layer 1 has the experts 0 and 1.
class UnreadTensorsTest : public WrittenTest {
 protected:
  absl::Status CheckWith(const ModelConfig& config, const TensorSpec& more) {
    Declare(config.is_dense() ? config : Tiny());
    specs_.push_back(more);
    warnings_.clear();
    return CheckUnreadTensors(config, Write(), warnings_);
  }

  void ExpectRefused(const ModelConfig& config, const std::string& name,
                     const std::string& right) {
    const absl::Status status = CheckWith(config, {name, DType::kF32, {4}});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(
        std::string(status.message()),
        AllOf(HasSubstr(directory_ + "/model.safetensors"),
              HasSubstr("\"" + name + "\" is not read; "), HasSubstr(right)));
  }

  std::vector<std::string> warnings_;
};

TEST_F(UnreadTensorsTest, TakesWhatIsRead) {
  ModelConfig config = Tiny();
  config.shared_expert = true;
  config.tie_word_embeddings = false;
  Declare(config);
  EXPECT_EQ(CheckUnreadTensors(config, Write(), warnings_), absl::OkStatus());
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(UnreadTensorsTest, RefusesWhatLayersWouldCompute) {
  const struct {
    const char* name;
    const char* right;
  } kCases[] = {
      {"model.layers.0.self_attn.q_norm.weight",
       "\"use_qk_norm\" of config.json must be true"},
      {"model.layers.1.self_attn.k_norm.weight",
       "\"use_qk_norm\" of config.json must be true"},
      {"model.layers.0.self_attn.q_norm.bias", "norms must have no biases"},
      {"model.layers.0.input_layernorm.bias", "norms must have no biases"},
      {"model.layers.0.self_attn.o_proj.bias",
       "only q_proj, k_proj and v_proj may have biases"},
      {"model.layers.0.mlp.up_proj.bias", "MLPs must have no biases"},
      {"model.layers.1.mlp.experts.1.down_proj.bias",
       "MLPs must have no biases"},
      {"model.layers.1.mlp.gate.bias", "the gate must have a weight only"},
      {"model.layers.1.mlp.gate.e_score_correction_bias",
       "the gate must have a weight only"},
      {"model.layers.1.mlp.shared_expert.up_proj.weight",
       "\"share_flag\" of config.json must be true"},
      {"model.layers.1.mlp.shared_expert_gate.weight",
       "\"share_flag\" of config.json must be true"},
      {"model.layers.1.mlp.experts.2.up_proj.weight",
       "\"num_experts\" of config.json must count it, but is 2"},
      {"model.layers.1.mlp.gate_proj.weight",
       "\"mlp_only_layers\" of config.json must list the layer"},
      {"model.layers.0.mlp.gate.weight",
       "\"mlp_only_layers\" of config.json must not list the layer"},
      {"model.layers.2.input_layernorm.weight",
       "\"num_hidden_layers\" of config.json must count its layer, but is 2"},
      {"model.layers.0.self_attn.sinks", "no computation reads it"},
      {"model.layers.norm.weight", "no computation reads it"},
      {"model.norm.bias", "no computation reads it"},
      {"model.embed_tokens.scale", "no computation reads it"},
      {"lm_head.bias", "no computation reads it"},
  };
  for (const auto& c : kCases) ExpectRefused(Tiny(), c.name, c.right);
}

TEST_F(UnreadTensorsTest, TakesNormsOfQueriesAndKeys) {
  ModelConfig config = Tiny();
  config.qk_norm = true;
  Declare(config);
  EXPECT_EQ(CheckUnreadTensors(config, Write(), warnings_), absl::OkStatus());
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(UnreadTensorsTest, RefusesWhatDenseModelsDoNotHave) {
  const ModelConfig config = TinyDense();
  Declare(config);
  EXPECT_EQ(CheckUnreadTensors(config, Write(), warnings_), absl::OkStatus());
  const struct {
    const char* name;
    const char* right;
  } kCases[] = {
      {"model.layers.1.mlp.gate.weight",
       "must be that of a model with experts"},
      {"model.layers.0.mlp.experts.0.up_proj.weight",
       "must be that of a model with experts"},
      {"model.layers.1.mlp.shared_expert.up_proj.weight",
       "must be that of a model with experts"},
      {"model.layers.1.self_attn.q_norm.weight",
       "\"model_type\" of config.json must be \"qwen3\""},
      {"model.layers.1.self_attn.v_proj.bias",
       "\"attention_bias\" of config.json must be true"},
      {"model.layers.1.self_attn.o_proj.bias",
       "\"attention_bias\" of config.json must be true"},
      {"model.layers.2.mlp.up_proj.weight", "\"num_hidden_layers\""},
  };
  for (const auto& c : kCases) ExpectRefused(config, c.name, c.right);
}

TEST_F(UnreadTensorsTest, RefusesBiasesThatTheConfigDenies) {
  ModelConfig config = Tiny();
  config.attention_bias = false;
  const absl::Status status = CheckUnreadTensors(config, Write(), warnings_);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("_proj.bias\" is not read"),
                    HasSubstr("\"attention_bias\" of config.json must be "
                              "true")));
}

TEST_F(UnreadTensorsTest, AHeadBesideTiedEmbeddingsMustBeEqual) {
  const TensorSpec head = {"lm_head.weight", DType::kF32, {6, 4}};
  EXPECT_EQ(CheckWith(Tiny(), head), absl::OkStatus());
  EXPECT_THAT(warnings_, IsEmpty());
  // Another last number.
  const absl::Status other =
      CheckUnreadTensors(Tiny(), Write(head.name, 2), warnings_);
  EXPECT_THAT(std::string(other.message()),
              AllOf(HasSubstr("\"lm_head.weight\" is not read; it must be "
                              "equal to model.embed_tokens.weight"),
                    HasSubstr("\"tie_word_embeddings\"")));
  EXPECT_THAT(std::string(other.message()), HasSubstr("transformers"));
  EXPECT_FALSE(CheckWith(Tiny(), {head.name, DType::kF32, {4, 6}}).ok());
  // The same numbers in another type, and others.
  EXPECT_EQ(CheckWith(Tiny(), {head.name, DType::kBF16, {6, 4}}),
            absl::OkStatus());
  EXPECT_FALSE(CheckUnreadTensors(Tiny(), Write(head.name, 2), warnings_).ok());
}

// As tools write it that list the head though it is tied.
TEST_F(UnreadTensorsTest, ListedTensorsThatAreNotThere) {
  Write();
  std::filesystem::rename(directory_ + "/model.safetensors",
                          directory_ + "/one.safetensors");
  const auto check = [this](const std::string& more, const std::string& file) {
    std::ofstream index(directory_ + "/model.safetensors.index.json");
    index << "{\"weight_map\": {\"" << more << "\": \"" << file << "\"";
    for (const TensorInfo& tensor : AllTensors(Tiny())) {
      index << ", \"" << tensor.name << "\": \"one.safetensors\"";
    }
    index << "}}";
    index.close();
    const auto checkpoint = Checkpoint::Open(directory_);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
    warnings_.clear();
    return CheckUnreadTensors(Tiny(), *checkpoint, warnings_);
  };
  EXPECT_EQ(check("lm_head.weight", "./one.safetensors"), absl::OkStatus());
  EXPECT_EQ(check("model.rotary_emb.inv_freq", "two.safetensors"),
            absl::OkStatus());
  EXPECT_THAT(warnings_, IsEmpty());
  EXPECT_EQ(check("visual.proj.weight", "two.safetensors"), absl::OkStatus());
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("\"visual.proj.weight\"")));
  EXPECT_THAT(
      std::string(
          check("model.layers.0.self_attn.o_proj.bias", "two.safetensors")
              .message()),
      AllOf(HasSubstr("index.json: tensor \"model.layers.0.self_attn.o_proj."
                      "bias\" is listed as part of two.safetensors, which "
                      "does not exist, and is not read; "),
            HasSubstr("only q_proj, k_proj and v_proj may have biases")));
}

TEST_F(UnreadTensorsTest, FusedExpertsBeyondTheConfigAreNamed) {
  ExpectRefused(Tiny(), "model.layers.0.mlp.experts.gate_up_proj",
                "\"mlp_only_layers\" of config.json must not list the layer");
  ExpectRefused(Tiny(), "model.layers.2.mlp.experts.down_proj",
                "\"num_hidden_layers\" of config.json must count its layer");
  ExpectRefused(Tiny(), "model.layers.1.mlp.experts.gate_up_proj_bias",
                "no computation reads it");
}

// Also of types that are not known.
TEST_F(UnreadTensorsTest, TypesOfIgnoredTensorsDoNotMatter) {
  specs_.push_back({"visual.scale", DType::kF32, {8}});
  const std::string path = directory_ + "/model.safetensors";
  for (const std::string type :
       {R"("F4","shape":[64)", R"("C64","shape":[4)", R"("F9","shape":[99)"}) {
    Write();
    auto bytes = ReadFile(path, 1 << 20);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const std::string written = R"("F32","shape":[8)";
    const std::size_t at =
        bytes->find(written, bytes->find("\"visual.scale\""));
    ASSERT_NE(at, std::string::npos);
    ASSERT_EQ(written.size(), type.size());
    std::ofstream(path, std::ios::binary)
        << bytes->replace(at, type.size(), type);
    const auto checkpoint = Checkpoint::Open(directory_);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    warnings_.clear();
    EXPECT_EQ(CheckUnreadTensors(Tiny(), *checkpoint, warnings_),
              absl::OkStatus());
    EXPECT_THAT(warnings_, ElementsAre(HasSubstr("\"visual.scale\"")));
  }
}

TEST_F(UnreadTensorsTest, BuffersThatFollowFromTheConfigAreHarmless) {
  for (const char* name :
       {"model.layers.0.self_attn.rotary_emb.inv_freq",
        "model.rotary_emb.inv_freq", "model.rotary_emb.original_inv_freq"}) {
    EXPECT_EQ(CheckWith(Tiny(), {name, DType::kF32, {1}}), absl::OkStatus());
    EXPECT_THAT(warnings_, IsEmpty()) << name;
  }
}

TEST_F(UnreadTensorsTest, OtherTensorsAreOneWarning) {
  specs_.push_back({"visual.proj.weight", DType::kF32, {1}});
  specs_.push_back({"more", DType::kF32, {1}});
  EXPECT_EQ(CheckUnreadTensors(Tiny(), Write(), warnings_), absl::OkStatus());
  EXPECT_THAT(warnings_,
              ElementsAre(directory_ + ": tensors \"more\", "
                                       "\"visual.proj.weight\" are ignored"));
}

TEST_F(UnreadTensorsTest, CountsTensorsThatTheIndexDoesNotList) {
  specs_.push_back({"model.layers.0.self_attn.o_proj.bias", DType::kF32, {4}});
  Write();
  const std::string shard = "model-00001-of-00001.safetensors";
  std::filesystem::rename(directory_ + "/model.safetensors",
                          directory_ + "/" + shard);
  std::ofstream index(directory_ + "/model.safetensors.index.json");
  index << "{\"weight_map\": {";
  const char* comma = "";
  for (const TensorInfo& tensor : AllTensors(Tiny())) {
    index << comma << "\"" << tensor.name << "\": \"" << shard << "\"";
    comma = ", ";
  }
  index << "}}";
  index.close();
  const auto checkpoint = Checkpoint::Open(directory_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_THAT(
      std::string(CheckUnreadTensors(Tiny(), *checkpoint, warnings_).message()),
      AllOf(HasSubstr(shard), HasSubstr("o_proj.bias")));
}

TEST(GoldenTensorsTest, NothingInValidDirectoriesIsUnread) {
  for (const char* name :
       {"all_sparse", "dense_llama", "dense_one_layer", "dense_qwen2",
        "dense_qwen3", "every_expert", "published", "qwen3_experts",
        "sharded_f32", "shared_expert_f16", "twelve_experts", "wide"}) {
    SCOPED_TRACE(name);
    const std::string directory = std::string("tests/golden/") + name;
    std::vector<std::string> warnings;
    const auto config = LoadModelConfig(directory, &warnings);
    ASSERT_TRUE(config.ok()) << config.status();
    const auto checkpoint = Checkpoint::Open(directory);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
    EXPECT_EQ(CheckUnreadTensors(*config, *checkpoint, warnings),
              absl::OkStatus());
    EXPECT_THAT(warnings, IsEmpty());
  }
}

}  // namespace
}  // namespace apollo
