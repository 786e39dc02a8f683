#include "kernels/logits.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace apollo {
namespace {

TEST(LogitsTest, LogSumExpIsExactForLargeLogits) {
  const std::vector<float> logits = {1000.0f, 1000.0f, -1000.0f};
  EXPECT_FLOAT_EQ(LogSumExp(logits.data(), 3), 1000.0f + std::log(2.0f));
}

TEST(LogitsTest, TopLogprobsAreSortedWithTiesToTheLowerToken) {
  const std::vector<float> logits = {1, 3, 2, 3};
  const float lse = LogSumExp(logits.data(), 4);
  const auto top = TopLogprobs(logits.data(), 4, lse, 3);
  ASSERT_EQ(top.size(), 3u);
  EXPECT_EQ(top[0].token, 1);
  EXPECT_EQ(top[1].token, 3);
  EXPECT_EQ(top[2].token, 2);
  EXPECT_FLOAT_EQ(top[2].logprob, 2 - lse);
  EXPECT_EQ(TopLogprobs(logits.data(), 4, lse, 99).size(), 4u);
}

TEST(LogitsTest, ArgMaxTakesTheLowestOfEqualsAndSkipsNan) {
  EXPECT_EQ(ArgMax(std::vector<float>{0, 5, 5}.data(), 3), 1);
  EXPECT_EQ(ArgMax(std::vector<float>{NAN, 1, 2}.data(), 3), 2);
}

}  // namespace
}  // namespace apollo
