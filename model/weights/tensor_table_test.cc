#include "model/weights/tensor_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "common/mapped_file.h"
#include "model/safetensors/writer.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;
using Shape = std::vector<std::int64_t>;

// The published 0.5B checkpoint's shape.
ModelConfig Published() {
  ModelConfig c;
  c.hidden_size = 896;
  c.num_layers = 24;
  c.boundary = 22;
  c.intermediate_size = 4864;
  c.moe_intermediate_size = 4864;
  c.num_heads = 14;
  c.num_kv_heads = 2;
  c.head_size = 64;
  c.num_experts = 7;
  c.experts_per_token = 2;
  c.tie_word_embeddings = true;
  c.vocab_size = 151936;
  c.max_context = 32768;
  c.rope_theta = 1e6;
  c.rms_norm_eps = 1e-6f;
  c.eos_tokens = {151643};
  return c;
}

// The published 7B checkpoint's shape.
ModelConfig Published7B() {
  ModelConfig c = Published();
  c.hidden_size = 3584;
  c.num_layers = 28;
  c.boundary = 26;
  c.intermediate_size = 18944;
  c.moe_intermediate_size = 18944;
  c.num_heads = 28;
  c.num_kv_heads = 4;
  c.head_size = 128;
  c.tie_word_embeddings = false;
  c.vocab_size = 152064;
  return c;
}

// Small enough to be written.
ModelConfig Tiny() {
  ModelConfig c = Published();
  c.hidden_size = 4;
  c.num_layers = 2;
  c.boundary = 1;
  c.intermediate_size = 3;
  c.moe_intermediate_size = 5;
  c.num_heads = 2;
  c.num_kv_heads = 1;
  c.head_size = 2;
  c.num_experts = 2;
  c.experts_per_token = 1;
  c.vocab_size = 6;
  return c;
}

std::map<std::string, Shape> Table(const ModelConfig& config) {
  std::map<std::string, Shape> table;
  for (const ExpectedTensor& t : ExpectedTensors(config)) {
    EXPECT_TRUE(table.emplace(t.name, t.shape).second) << t.name << " twice";
  }
  return table;
}

std::int64_t Parameters(const ModelConfig& config) {
  std::int64_t sum = 0;
  for (const auto& [name, shape] : Table(config)) {
    std::int64_t product = 1;
    for (const std::int64_t n : shape) product *= n;
    sum += product;
  }
  return sum;
}

// Of a layer: norms 2, weights of q, k, v and o 4, biases 3, a dense MLP 3, or
// a gate 1 and 3 for each expert.
constexpr std::size_t kDense = 2 + 4 + 3 + 3;
constexpr std::size_t kSparse = 2 + 4 + 3 + 1 + 7 * 3;

TEST(ExpectedTensorsTest, ThePublishedCheckpoint) {
  const auto table = Table(Published());
  EXPECT_EQ(table.size(), 1 + 22 * kDense + 2 * kSparse + 1);
  EXPECT_EQ(table.at("model.embed_tokens.weight"), (Shape{151936, 896}));
  EXPECT_EQ(table.at("model.norm.weight"), Shape{896});
  EXPECT_EQ(table.at("model.layers.0.input_layernorm.weight"), Shape{896});
  EXPECT_EQ(table.at("model.layers.0.self_attn.q_proj.weight"),
            (Shape{896, 896}));
  EXPECT_EQ(table.at("model.layers.0.self_attn.k_proj.weight"),
            (Shape{128, 896}));
  EXPECT_EQ(table.at("model.layers.0.self_attn.v_proj.bias"), Shape{128});
  EXPECT_EQ(table.at("model.layers.23.self_attn.o_proj.weight"),
            (Shape{896, 896}));
  EXPECT_EQ(table.at("model.layers.21.mlp.gate_proj.weight"),
            (Shape{4864, 896}));
  EXPECT_EQ(table.at("model.layers.21.mlp.down_proj.weight"),
            (Shape{896, 4864}));
  EXPECT_EQ(table.at("model.layers.22.mlp.gate.weight"), (Shape{7, 896}));
  EXPECT_EQ(table.at("model.layers.23.mlp.experts.6.up_proj.weight"),
            (Shape{4864, 896}));
  EXPECT_EQ(table.count("model.layers.22.mlp.up_proj.weight"), 0u);
  EXPECT_EQ(table.count("model.layers.21.mlp.gate.weight"), 0u);
  EXPECT_EQ(table.count("model.layers.0.self_attn.o_proj.bias"), 0u);
  EXPECT_EQ(table.count("lm_head.weight"), 0u);
  // Qwen2-0.5B's 494,032,768 plus, in each of two layers, six more MLPs and a
  // gate.
  EXPECT_EQ(Parameters(Published()),
            494'032'768 + 2 * (6 * 3 * 896 * 4864 + 7 * 896));
}

TEST(ExpectedTensorsTest, TheLargePublishedCheckpoint) {
  const auto table = Table(Published7B());
  EXPECT_EQ(table.size(), 1 + 26 * kDense + 2 * kSparse + 2);
  EXPECT_EQ(table.at("lm_head.weight"), (Shape{152064, 3584}));
  EXPECT_EQ(table.at("model.layers.27.self_attn.k_proj.weight"),
            (Shape{512, 3584}));
  EXPECT_EQ(table.at("model.layers.26.mlp.experts.0.down_proj.weight"),
            (Shape{3584, 18944}));
  // Qwen2-7B's 7,615,616,512, likewise.
  EXPECT_EQ(
      Parameters(Published7B()),
      7'615'616'512 + 2 * (6 * 3 * std::int64_t{3584} * 18944 + 7 * 3584));
}

TEST(ExpectedTensorsTest, WithoutBiases) {
  ModelConfig c = Published();
  c.attention_bias = false;
  const auto table = Table(c);
  EXPECT_EQ(table.size(), Table(Published()).size() - 24 * 3);
  for (const auto& [name, shape] : table) EXPECT_FALSE(name.ends_with(".bias"));
}

TEST(ExpectedTensorsTest, WithASharedExpert) {
  ModelConfig c = Published();
  c.shared_expert = true;
  const auto table = Table(c);
  EXPECT_EQ(table.size(), Table(Published()).size() + 2 * 4);
  EXPECT_EQ(table.at("model.layers.22.mlp.shared_expert_gate.weight"),
            (Shape{1, 896}));
  EXPECT_EQ(table.count("model.layers.23.mlp.shared_expert.down_proj.weight"),
            1u);
  EXPECT_EQ(table.count("model.layers.21.mlp.shared_expert.down_proj.weight"),
            0u);
}

TEST(ExpectedTensorsTest, WithoutDenseLayers) {
  ModelConfig c = Published();
  c.boundary = 0;
  const auto table = Table(c);
  EXPECT_EQ(table.size(), 1 + 24 * kSparse + 1);
  EXPECT_EQ(table.count("model.layers.0.mlp.experts.0.gate_proj.weight"), 1u);
  EXPECT_EQ(table.count("model.layers.0.mlp.gate_proj.weight"), 0u);
}

class WrittenTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "/tensor_table_" +
                 testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    Declare(Tiny());
  }

  // All tensors of a config, for a test to change before they are written.
  void Declare(const ModelConfig& config) {
    specs_.clear();
    for (const ExpectedTensor& t : ExpectedTensors(config)) {
      Shape shape = t.shape;
      std::replace(shape.begin(), shape.end(), 0, 7);  // The shared width.
      specs_.push_back({t.name, DType::kF32, shape});
    }
  }

  TensorSpec& Spec(const std::string& name) {
    const auto it = std::find_if(specs_.begin(), specs_.end(),
                                 [&](const auto& s) { return s.name == name; });
    EXPECT_NE(it, specs_.end()) << name;
    return *it;
  }

  Checkpoint Write(float changed = 0) {
    const std::string path = directory_ + "/model.safetensors";
    auto writer = SafetensorsWriter::Create(path, specs_);
    EXPECT_TRUE(writer.ok()) << writer.status();
    for (const TensorSpec& spec : specs_) {
      std::size_t count = 1;
      for (const std::int64_t n : spec.shape) count *= n;
      std::vector<float> values(count, 1);
      if (spec.name == "model.norm.weight") values[0] += changed;
      EXPECT_TRUE(writer->AppendFloats(spec.name, values).ok());
    }
    EXPECT_TRUE(writer->Finish().ok());
    auto checkpoint = Checkpoint::Open(directory_);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
    return *std::move(checkpoint);
  }

  std::string directory_;
  std::vector<TensorSpec> specs_;
};

class CheckTensorsTest : public WrittenTest {
 protected:
  void ExpectRefused(const ModelConfig& config, absl::StatusCode code,
                     const std::vector<std::string>& words) {
    const absl::Status status = CheckTensors(config, Write());
    EXPECT_EQ(status.code(), code);
    EXPECT_THAT(std::string(status.message()), HasSubstr(directory_));
    for (const std::string& word : words) {
      EXPECT_THAT(std::string(status.message()), HasSubstr(word));
    }
  }
};

TEST_F(CheckTensorsTest, TakesWhatIsComplete) {
  EXPECT_EQ(CheckTensors(Tiny(), Write()), absl::OkStatus());
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    for (TensorSpec& spec : specs_) spec.dtype = dtype;
    EXPECT_EQ(CheckTensors(Tiny(), Write()), absl::OkStatus());
  }
}

TEST_F(CheckTensorsTest, IgnoresTensorsBesidesTheExpectedOnes) {
  specs_.push_back({"more", DType::kF32, {1}});
  EXPECT_EQ(CheckTensors(Tiny(), Write()), absl::OkStatus());
}

TEST_F(CheckTensorsTest, NamesEveryMissingTensor) {
  const std::vector<TensorSpec> all = specs_;
  for (const TensorSpec& missing : all) {
    specs_ = all;
    std::erase_if(specs_,
                  [&](const auto& s) { return s.name == missing.name; });
    ExpectRefused(Tiny(), absl::StatusCode::kNotFound, {missing.name});
  }
}

TEST_F(CheckTensorsTest, NamesEveryWrongShape) {
  const std::vector<TensorSpec> all = specs_;
  for (std::size_t i = 0; i < all.size(); ++i) {
    specs_ = all;
    specs_[i].shape.back() += 1;
    ExpectRefused(Tiny(), absl::StatusCode::kInvalidArgument,
                  {"model.safetensors", all[i].name, "shape"});
  }
}

TEST_F(CheckTensorsTest, NamesBothShapes) {
  Spec("model.layers.1.mlp.experts.1.up_proj.weight").shape = {4, 5};
  ExpectRefused(Tiny(), absl::StatusCode::kInvalidArgument,
                {"experts.1.up_proj", "[4, 5]", "[5, 4]"});
}

TEST_F(CheckTensorsTest, RefusesAnotherRank) {
  Spec("model.norm.weight").shape = {1, 4};
  ExpectRefused(Tiny(), absl::StatusCode::kInvalidArgument,
                {"model.norm.weight"});
}

TEST_F(CheckTensorsTest, RefusesATypeThatCannotBeRead) {
  // The writer has none: turn "F32" into "I32", which is as wide.
  Write();
  const std::string path = directory_ + "/model.safetensors";
  auto bytes = ReadFile(path, 1 << 20);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const std::size_t name = bytes->find("\"model.norm.weight\"");
  const std::size_t type = bytes->find("\"F32\"", name);
  ASSERT_NE(type, std::string::npos);
  bytes->replace(type, 5, "\"I32\"");
  std::ofstream(path, std::ios::binary) << *bytes;
  const auto checkpoint = Checkpoint::Open(directory_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const absl::Status status = CheckTensors(Tiny(), *checkpoint);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const char* word : {path.c_str(), "model.norm.weight", "I32", "BF16"}) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(word));
  }
}

TEST_F(CheckTensorsTest, SharedExpertsAreAsWideAsTheFirstOfTheirTensors) {
  ModelConfig config = Tiny();
  config.shared_expert = true;
  Declare(config);
  EXPECT_EQ(CheckTensors(config, Write()), absl::OkStatus());
  const std::string down = "model.layers.1.mlp.shared_expert.down_proj.weight";
  Spec(down).shape = {4, 8};
  ExpectRefused(config, absl::StatusCode::kInvalidArgument,
                {down, "[4, 8]", "[4, 7]"});
  Declare(config);
  Spec("model.layers.1.mlp.shared_expert.gate_proj.weight").shape = {0, 4};
  ExpectRefused(config, absl::StatusCode::kInvalidArgument,
                {"shared_expert.gate_proj", "[0, 4]"});
}

class ModelHashTest : public WrittenTest {};

TEST_F(ModelHashTest, IsSixteenDigitsAndRepeatable) {
  const std::string hash = ModelHash(Tiny(), Write());
  EXPECT_THAT(hash, testing::MatchesRegex("[0-9a-f]{16}"));
  EXPECT_EQ(ModelHash(Tiny(), Write()), hash);
}

TEST_F(ModelHashTest, DoesNotDependOnTheOrderInTheFile) {
  const std::string hash = ModelHash(Tiny(), Write());
  std::reverse(specs_.begin(), specs_.end());
  EXPECT_EQ(ModelHash(Tiny(), Write()), hash);
}

TEST_F(ModelHashTest, DependsOnEveryTensorsNameShapeTypeAndData) {
  const std::string hash = ModelHash(Tiny(), Write());
  EXPECT_NE(ModelHash(Tiny(), Write(/*changed=*/0.5f)), hash);
  TensorSpec& spec = Spec("model.norm.weight");
  const TensorSpec old = spec;
  spec.name = "model.morn.weight";
  EXPECT_NE(ModelHash(Tiny(), Write()), hash);
  spec = old;
  spec.shape = {2, 2};
  EXPECT_NE(ModelHash(Tiny(), Write()), hash);
  spec = old;
  spec.dtype = DType::kBF16;
  EXPECT_NE(ModelHash(Tiny(), Write()), hash);
  spec = old;
  EXPECT_EQ(ModelHash(Tiny(), Write()), hash);
}

TEST_F(ModelHashTest, DependsOnTheConfig) {
  const Checkpoint checkpoint = Write();
  const std::string hash = ModelHash(Tiny(), checkpoint);
  void (*const kChanges[])(ModelConfig&) = {
      [](ModelConfig& c) { c.num_layers = 1; },
      [](ModelConfig& c) { c.boundary = 0; },
      [](ModelConfig& c) { c.num_heads = 1; },
      [](ModelConfig& c) { c.num_kv_heads = 2; },
      [](ModelConfig& c) { c.num_experts = 1; },
      [](ModelConfig& c) { c.experts_per_token = 2; },
      [](ModelConfig& c) { c.norm_topk_prob = true; },
      [](ModelConfig& c) { c.shared_expert = true; },
      [](ModelConfig& c) { c.attention_bias = false; },
      [](ModelConfig& c) { c.tie_word_embeddings = false; },
      [](ModelConfig& c) { c.max_context = 16; },
      [](ModelConfig& c) { c.rope_theta = 1e4; },
      [](ModelConfig& c) { c.rms_norm_eps = 1e-5f; },
      [](ModelConfig& c) { c.eos_tokens = {1}; },
  };
  int which = 0;
  for (const auto change : kChanges) {
    ModelConfig config = Tiny();
    change(config);
    EXPECT_NE(ModelHash(config, checkpoint), hash) << "change " << which;
    ++which;
  }
}

}  // namespace
}  // namespace apollo
