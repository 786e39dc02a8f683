#include "engine/answer_lengths.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace apollo {
namespace {

TEST(AnswerLengthsTest, TheFirstAnswersDoNotDecideAlone) {
  AnswerLengths lengths;
  EXPECT_EQ(lengths.Expected(), AnswerLengths::kUnknown);
  lengths.Add(1);
  EXPECT_GT(lengths.Expected(), AnswerLengths::kUnknown / 2);
  for (int i = 0; i < 100; ++i) lengths.Add(1);
  EXPECT_LT(lengths.Expected(), AnswerLengths::kUnknown / 4);
}

TEST(AnswerLengthsTest, EqualAnswersHaveNoDeviation) {
  AnswerLengths lengths;
  for (int i = 0; i < 10 * AnswerLengths::kMemory; ++i) lengths.Add(100);
  EXPECT_EQ(lengths.Expected(), 101);  // Rounded up.
}

TEST(AnswerLengthsTest, FollowsAChange) {
  AnswerLengths lengths;
  for (int i = 0; i < 1000; ++i) lengths.Add(1000);
  for (int i = 0; i < 5 * AnswerLengths::kMemory; ++i) lengths.Add(10);
  EXPECT_LT(lengths.Expected(), 50);
  EXPECT_GE(lengths.Expected(), 10);
}

TEST(AnswerLengthsTest, CoversTheRestOfRunningAnswersOnAverage) {
  std::mt19937 random(5);
  std::exponential_distribution<double> length(1.0 / 200);
  AnswerLengths lengths;
  for (int i = 0; i < 1000; ++i) {
    lengths.Add(1 + static_cast<int>(length(random)));
  }
  double rest = 0;
  constexpr int kRunning = 2000;
  for (int i = 0; i < kRunning; ++i) {
    rest += std::max(0.0, lengths.Expected() - length(random));
  }
  EXPECT_NEAR(rest / kRunning, 200, 60);
}

}  // namespace
}  // namespace apollo
