#include "kernels/logits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/for_each_level.h"

namespace apollo {
namespace {

TEST(LogitsTest, LogSumExpIsExactForLargeLogits) {
  const std::vector<float> logits = {1000.0f, 1000.0f, -1000.0f};
  EXPECT_FLOAT_EQ(LogSumExp(logits.data(), 3), 1000.0f + std::log(2.0f));
}

TEST(LogitsTest, TopTokensAreSortedWithTiesToTheLowerToken) {
  const std::vector<float> logits = {1, 3, 2, 3};
  EXPECT_EQ(TopTokens(logits.data(), 4, 3),
            (std::vector<std::int32_t>{1, 3, 2}));
  EXPECT_EQ(TopTokens(logits.data(), 4, 99).size(), 4u);
  EXPECT_TRUE(TopTokens(logits.data(), 4, 0).empty());
}

TEST(LogitsTest, ArgMaxTakesTheLowestOfEqualsAndSkipsNan) {
  ForEachLevel([] {
    EXPECT_EQ(ArgMax(std::vector<float>{0, 5, 5}.data(), 3), 1);
    EXPECT_EQ(ArgMax(std::vector<float>{NAN, 1, 2}.data(), 3), 2);
    EXPECT_EQ(ArgMax(std::vector<float>{NAN, NAN}.data(), 2), 0);
    for (int size = 1; size < 70; ++size) {
      for (int first = 0; first < size; ++first) {
        std::vector<float> logits(size, -3.0f);
        logits[first] = logits[size - 1] = 2.0f;
        if (first > 0) logits[first - 1] = NAN;
        EXPECT_EQ(ArgMax(logits.data(), size), first) << size;
      }
    }
  });
}

TEST(LogitsTest, SumsOfExponentialsAgreeWithDouble) {
  ForEachLevel([] {
    for (const int size : {1, 7, 15, 16, 17, 511, 513, 1025, 49152}) {
      std::vector<float> logits(size);
      for (int i = 0; i < size; ++i) {
        logits[i] = 20.0f * std::sin(static_cast<float>(i));
      }
      const float top = *std::max_element(logits.begin(), logits.end());
      for (const float scale : {0.0f, 0.01f, 1.0f, 7.0f, 1e30f}) {
        double sum = 0;
        for (const float logit : logits) {
          sum += std::exp((static_cast<double>(logit) - top) * scale);
        }
        EXPECT_NEAR(SumExp(logits.data(), size, top, scale), sum, 2e-6 * sum)
            << size << " " << scale;
      }
    }
  });
}

TEST(LogitsTest, OneBadLogitAnywhereLeavesNoSum) {
  ForEachLevel([] {
    for (const float bad : {NAN, INFINITY, -INFINITY}) {
      for (int at = 0; at < 40; ++at) {
        std::vector<float> logits(40, 1.0f);
        logits[at] = bad;
        EXPECT_TRUE(std::isnan(LogSumExp(logits.data(), 40))) << bad << at;
      }
    }
    // The largest float32.
    const std::vector<float> large(40, std::numeric_limits<float>::max());
    EXPECT_FALSE(std::isnan(LogSumExp(large.data(), 40)));
  });
}

TEST(LogitsTest, TokensAtLeastAreInOrder) {
  ForEachLevel([] {
    std::vector<float> logits(100, 0.0f);
    for (const int token : {0, 15, 16, 63, 96, 99}) logits[token] = 1.0f;
    logits[16] = 2.0f;
    EXPECT_EQ(TokensAtLeast(logits.data(), 100, 1.0f),
              (std::vector<std::int32_t>{0, 15, 16, 63, 96, 99}));
    EXPECT_EQ(TokensAtLeast(logits.data(), 100, 2.0f),
              (std::vector<std::int32_t>{16}));
    EXPECT_TRUE(TokensAtLeast(logits.data(), 100, 3.0f).empty());
    EXPECT_EQ(TokensAtLeast(logits.data(), 100, -1.0f).size(), 100u);
  });
}

}  // namespace
}  // namespace apollo
