#include "model/config/fingerprint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace apollo {
namespace {

class FingerprintTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void WriteTokenizer(const char* text) {
    std::ofstream(folder_ + "/tokenizer.json") << text;
  }
  const std::string folder_ = testing::TempDir() + "/fingerprint";
  ModelConfig config_;
};

TEST_F(FingerprintTest, DependsOnTheNumbersAndOnTheTokenizersBytes) {
  config_.num_layers = 24;
  config_.eos_tokens = {1, 2};
  WriteTokenizer("{}");
  const ModelFingerprint own = FingerprintOf(config_, folder_);
  EXPECT_EQ(own.config.size(), 16u);
  // The first 8 bytes of sha256("{}") according to sha256sum.
  EXPECT_EQ(own.tokenizer, "44136fa355b3678a");
  EXPECT_EQ(Difference(own, FingerprintOf(config_, folder_)), "");
  // Only the router uses the prompt format.
  config_.prompt_format = PromptFormat::kChatMl;
  EXPECT_EQ(Difference(own, FingerprintOf(config_, folder_)), "");
  config_.eos_tokens = {1};
  const ModelFingerprint other = FingerprintOf(config_, folder_);
  EXPECT_EQ(Difference(own, other), "config.json differs: its hash is " +
                                        other.config + ", not " + own.config +
                                        " (of its numbers, with the ends that "
                                        "generation_config.json adds)");
  config_.eos_tokens = {1, 2};
  WriteTokenizer("{ }");
  const std::string difference =
      Difference(own, FingerprintOf(config_, folder_));
  // The same for "{ }".
  EXPECT_EQ(difference,
            "tokenizer.json differs: its hash is 257c1be96ae69f4b, not "
            "44136fa355b3678a");
}

// Two directories with the same config.json.
TEST_F(FingerprintTest, CoversTheEndsOfGenerationConfig) {
  const auto of = [this](const std::string& generation) {
    const ConfigFile file = {generation, "generation_config.json"};
    const auto config = ParseModelConfig(
        R"({"model_type": "upcycling-qwen2-moe", "hidden_size": 4,
            "intermediate_size": 3, "moe_intermediate_size": 3,
            "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_experts": 2, "num_experts_per_tok": 1, "vocab_size": 9,
            "max_position_embeddings": 64, "rms_norm_eps": 1e-6,
            "rope_theta": 1e4, "eos_token_id": 1})",
        "config.json", nullptr, &file);
    EXPECT_TRUE(config.ok()) << config.status();
    return FingerprintOf(*config, folder_);
  };
  const ModelFingerprint plain = of("{}");
  EXPECT_EQ(Difference(plain, of(R"({"eos_token_id": 1})")), "");
  EXPECT_EQ(Difference(plain, of(R"({"temperature": 0.5})")), "");
  EXPECT_NE(Difference(plain, of(R"({"eos_token_id": [1, 2]})")), "");
}

TEST_F(FingerprintTest, MissingHashesAreNotCompared) {
  WriteTokenizer("{}");
  const ModelFingerprint own = FingerprintOf(config_, folder_);
  EXPECT_EQ(FingerprintOf(config_, folder_ + "/nowhere").tokenizer, "");
  EXPECT_EQ(Difference(own, FingerprintOf(config_, folder_ + "/nowhere")), "");
  EXPECT_EQ(Difference(own, {}), "");
  EXPECT_EQ(Difference({}, own), "");
}

}  // namespace
}  // namespace apollo
