#include "tests/faults/trial/outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace apollo {
namespace {

using testing::HasSubstr;

TEST(OutcomeTest, AProblemFailsEveryRun) {
  Outcome outcome;
  EXPECT_TRUE(outcome.passed());
  outcome.AddProblems({"a wrong token"});
  EXPECT_FALSE(outcome.passed());
  EXPECT_EQ(ToJson(outcome)["passed"], false);
  EXPECT_THAT(Table({outcome}), HasSubstr("PROBLEM a wrong token"));
}

TEST(OutcomeTest, BarsCountInALongRunOnly) {
  Outcome outcome;
  outcome.bars = {{"pause_p99_seconds", 0.3, 0.25}};
  EXPECT_TRUE(outcome.passed());
  outcome.long_run = true;
  EXPECT_FALSE(outcome.passed());
  EXPECT_EQ(ToJson(outcome)["bars"][0]["met"], false);
  EXPECT_THAT(Table({outcome}), HasSubstr("NOT MET"));
  outcome.bars[0].measured = 0.25;
  EXPECT_TRUE(outcome.passed());
}

TEST(OutcomeTest, ASkippedRunHasNotPassedAndTellsWhy) {
  Outcome outcome;
  outcome.skipped = "no namespaces here";
  EXPECT_FALSE(outcome.passed());
  EXPECT_EQ(ToJson(outcome)["skipped"], "no namespaces here");
  EXPECT_THAT(Table({outcome}), HasSubstr("SKIPPED: no namespaces here"));
}

TEST(OutcomeTest, ManyProblemsAreCounted) {
  Outcome outcome;
  for (int i = 0; i < 50; ++i) outcome.AddProblems({"p"});
  EXPECT_EQ(outcome.problems.size(), 21u);
  EXPECT_EQ(outcome.problems.back(), "and 30 more");
}

}  // namespace
}  // namespace apollo
