#include "model/weights/model_hash.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>

#include "model/weights/test_models.h"

namespace apollo {
namespace {

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
  EXPECT_NE(ModelHash(Tiny(), Write("model.norm.weight", 0.5f)), hash);
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
