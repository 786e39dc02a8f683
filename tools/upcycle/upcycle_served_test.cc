// Models without experts, upcycled and served. With weights of the experts that
// sum to 1, the result computes what its base computes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/test_stages.h"
#include "tools/upcycle/options.h"
#include "tools/upcycle/upcycler.h"

namespace apollo {
namespace {

class UpcycleServedTest : public testing::TestWithParam<const char*> {
 protected:
  static std::vector<float> Logits(const OpenModel& model, int pinned = -1) {
    Stages stages(model, 1);
    Sequence sequence = Make(40, 1, pinned);
    stages.Step({{&sequence, 40}});
    return sequence.logits;
  }
};

TEST_P(UpcycleServedTest, TheResultComputesWhatTheBaseComputes) {
  UpcycleOptions options;
  options.input = std::string("tests/golden/") + GetParam();
  options.output = testing::TempDir() + "/upcycled_" + std::string(GetParam());
  std::filesystem::remove_all(options.output);
  options.experts = 7;
  options.norm_topk_prob = true;
  const absl::Status status = Upcycle(options, [](const std::string&) {});
  ASSERT_TRUE(status.ok()) << status;
  const OpenModel base = OpenGolden(GetParam());
  auto upcycled = OpenModelDirectory(options.output);
  ASSERT_TRUE(upcycled.ok()) << upcycled.status();
  EXPECT_THAT(upcycled->warnings, testing::IsEmpty());
  const ModelConfig& config = upcycled->config;
  EXPECT_EQ(config.architecture, "UpcyclingQwen2MoeForCausalLM");
  EXPECT_EQ(config.num_experts, 7);
  EXPECT_EQ(config.boundary, base.config.num_layers - 2);
  EXPECT_EQ(config.head_size, base.config.head_size);
  EXPECT_EQ(config.qk_norm, base.config.qk_norm);
  EXPECT_EQ(config.attention_bias, base.config.attention_bias);
  const std::vector<float> expected = Logits(base);
  for (const int pinned : {-1, 3}) {
    const std::vector<float> logits = Logits(*upcycled, pinned);
    ASSERT_EQ(logits.size(), expected.size());
    // Float32 errors of two layers and the head; logits are a few units large.
    for (std::size_t i = 0; i < logits.size(); ++i) {
      ASSERT_NEAR(logits[i], expected[i], 2e-4) << i;
    }
  }
  const auto [least, most] =
      std::minmax_element(expected.begin(), expected.end());
  EXPECT_GT(*most - *least, 2);
}

INSTANTIATE_TEST_SUITE_P(Bases, UpcycleServedTest,
                         testing::Values("dense_llama", "dense_qwen2",
                                         "dense_qwen3"),
                         [](const auto& info) {
                           return std::string(info.param);
                         });

}  // namespace
}  // namespace apollo
