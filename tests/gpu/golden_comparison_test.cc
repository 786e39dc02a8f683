// Right and wrong answers to a small run.
#include "tests/gpu/golden_comparison.h"

#include <gtest/gtest.h>

#include <limits>

namespace apollo {
namespace {

// At token 1 the two best are within the margin; elsewhere they are not.
Json Expected() {
  return Json::parse(R"({
    "ids": [7, 8, 9], "logprobs": [-0.5, -1.0, -0.2], "finish": "length",
    "top": [[[7, -0.5], [1, -2.5], [2, -3.0]],
            [[8, -1.0], [5, -1.1], [2, -2.0]],
            [[9, -0.2], [1, -3.0], [256, -3.5]]]})");
}

TEST(CompareRunTest, TheSameAnswerIsRight) {
  const GoldenResult result =
      CompareRun(Expected(), {7, 8, 9}, {-0.5, -1.0, -0.2});
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.near_tie, std::nullopt);
  EXPECT_LT(result.distance, 1e-6);
}

TEST(CompareRunTest, LogprobsMayMoveByTheTolerance) {
  const float moved = -0.5f + 0.9f * kBf16TokenTolerance;
  const GoldenResult result =
      CompareRun(Expected(), {7, 8, 9}, {moved, -1, -0.2f});
  EXPECT_EQ(result.error, "");
  EXPECT_NEAR(result.distance, 0.9 * kBf16TokenTolerance, 1e-6);
  const float far = -0.5f + 1.1f * kBf16TokenTolerance;
  EXPECT_NE(CompareRun(Expected(), {7, 8, 9}, {far, -1, -0.2f}).error, "");
}

TEST(CompareRunTest, ALogprobThatIsNoNumberIsWrong) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(CompareRun(Expected(), {7, 8, 9}, {-0.5, nan, -0.2f}).error, "");
}

TEST(CompareRunTest, NearlyEqualTokensMayChangePlaces) {
  // What follows is another answer, whatever it is.
  const GoldenResult result =
      CompareRun(Expected(), {7, 5, 3, 3}, {-0.5, -1.05f, -9, -9});
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.near_tie, 1);
}

TEST(CompareRunTest, OtherTokensMayNot) {
  for (const std::int32_t wrong :
       {2, 100}) {  // Far behind; not among the best.
    const GoldenResult result =
        CompareRun(Expected(), {7, wrong, 9}, {-0.5, -1, -0.2f});
    EXPECT_NE(result.error, "") << wrong;
    EXPECT_EQ(result.near_tie, std::nullopt);
  }
  EXPECT_NE(CompareRun(Expected(), {1, 8, 9}, {-0.5, -1, -0.2f}).error, "");
}

TEST(CompareRunTest, WhatPrecedesANearTieIsCompared) {
  EXPECT_NE(CompareRun(Expected(), {7, 5}, {-2, -1}).error, "");
}

TEST(CompareRunTest, AnAnswerOfAnotherLengthIsWrong) {
  EXPECT_NE(CompareRun(Expected(), {}, {}).error, "");
  EXPECT_NE(CompareRun(Expected(), {7, 8}, {-0.5, -1}).error, "");
  EXPECT_NE(CompareRun(Expected(), {7, 8, 9, 9}, {-0.5, -1, -0.2f, -1}).error,
            "");
  EXPECT_NE(CompareRun(Expected(), {7, 8, 9}, {-0.5, -1}).error, "");
}

TEST(CompareRunTest, AnEndMayBeNearlyEqual) {
  Json run = Expected();
  run["top"][2][1] = {256, -0.25};
  EXPECT_EQ(CompareRun(run, {7, 8}, {-0.5, -1}).near_tie, 2);
  // The other way round: the oracle ends, this answer goes on.
  run["finish"] = "stop";
  run["ids"][2] = 256;
  run["top"][2] = {{256, -0.2}, {1, -0.25}, {2, -3.0}};
  EXPECT_EQ(CompareRun(run, {7, 8}, {-0.5, -1}).error, "");
  EXPECT_EQ(CompareRun(run, {7, 8, 1}, {-0.5, -1, -0.2f}).near_tie, 2);
  EXPECT_NE(CompareRun(run, {7, 8, 2}, {-0.5, -1, -0.2f}).error, "");
}

TEST(CompareScoreTest, EachTokenIsCompared) {
  const Json score = {{"logprobs", {-1.0, -2.0}}};
  EXPECT_EQ(CompareScore(score, {-1.05, -2.05}).error, "");
  EXPECT_NEAR(CompareScore(score, {-1.05, -2}).distance, 0.05, 1e-9);
  EXPECT_EQ(CompareScore(score, {-1, -2 - 0.9 * kBf16ScoreTolerance}).error,
            "");
  EXPECT_NE(CompareScore(score, {-1, -2 - 1.1 * kBf16ScoreTolerance}).error,
            "");
  EXPECT_NE(CompareScore(score, {-1}).error, "");
}

TEST(MayDifferTest, IsTrueForTwoNearlyEqualTokens) {
  EXPECT_TRUE(MayDiffer(Expected()));
  Json clear = Expected();
  clear["top"][1][1] = {5, -3.0};
  EXPECT_FALSE(MayDiffer(clear));
}

TEST(GoldenTallyTest, CountsAll) {
  GoldenTally tally;
  tally.Add("a", {.error = "", .distance = 0.1, .near_tie = 3});
  tally.Add("b", {.error = "is wrong", .distance = 0.3, .near_tie = {}});
  tally.Add("c", {.error = "", .distance = 0.2, .near_tie = {}});
  EXPECT_EQ(tally.compared(), 3);
  EXPECT_EQ(tally.near_ties(), 1);
  EXPECT_EQ(tally.distance(), 0.3);
  EXPECT_EQ(tally.errors(), std::vector<std::string>{"b: is wrong"});
}

}  // namespace
}  // namespace apollo
