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

TEST(LogitsTest, TopTokensAreSortedWithTiesToTheLowerToken) {
  const std::vector<float> logits = {1, 3, 2, 3};
  EXPECT_EQ(TopTokens(logits.data(), 4, 3), (std::vector<std::int32_t>{1, 3, 2}));
  EXPECT_EQ(TopTokens(logits.data(), 4, 99).size(), 4u);
  EXPECT_TRUE(TopTokens(logits.data(), 4, 0).empty());
}

TEST(LogitsTest, ArgMaxTakesTheLowestOfEqualsAndSkipsNan) {
  EXPECT_EQ(ArgMax(std::vector<float>{0, 5, 5}.data(), 3), 1);
  EXPECT_EQ(ArgMax(std::vector<float>{NAN, 1, 2}.data(), 3), 2);
}

}  // namespace
}  // namespace apollo
