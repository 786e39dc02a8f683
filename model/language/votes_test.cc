#include "model/language/votes.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace apollo {
namespace {

const std::vector<std::string>& Languages() {
  static const auto* const languages =
      new std::vector<std::string>{"de", "fr", "ko"};
  return *languages;
}

TEST(CountVotesTest, OneVoteIsTheAnswer) {
  const Detection d =
      CountVotes({{10, 0.2, {{1, 0.1}, {0, 0.6}}}}, Languages());
  ASSERT_EQ(d.candidates.size(), 2u);
  EXPECT_EQ(d.candidates[0].language, "de");
  EXPECT_DOUBLE_EQ(d.candidates[0].confidence, 0.6);
  EXPECT_DOUBLE_EQ(d.candidates[1].confidence, 0.1);
  EXPECT_DOUBLE_EQ(d.neutral, 0.2);
}

TEST(CountVotesTest, VotesCountByTheirWeights) {
  const Detection d = CountVotes(
      {{30, 0, {{0, 0.9}}}, {10, 0.4, {{2, 0.5}, {0, 0.1}}}}, Languages());
  ASSERT_EQ(d.candidates.size(), 2u);
  EXPECT_EQ(d.candidates[0].language, "de");
  EXPECT_DOUBLE_EQ(d.candidates[0].confidence, (30 * 0.9 + 10 * 0.1) / 40);
  EXPECT_DOUBLE_EQ(d.candidates[1].confidence, 10 * 0.5 / 40);
  EXPECT_DOUBLE_EQ(d.neutral, 0.1);
}

TEST(CountVotesTest, ClearlyNeutralVotesDoNotCountBesideASureOne) {
  const Vote german{10, 0.1, {{0, 0.85}}};
  const Vote code{90, 0.9, {{1, 0.1}}};
  const Detection sure = CountVotes({code, german}, Languages());
  ASSERT_EQ(sure.candidates.size(), 1u);
  EXPECT_DOUBLE_EQ(sure.candidates[0].confidence, 0.85);
  EXPECT_DOUBLE_EQ(sure.neutral, 0.1);
  const Detection alone = CountVotes({code, code}, Languages());
  ASSERT_EQ(alone.candidates.size(), 1u);
  EXPECT_DOUBLE_EQ(alone.candidates[0].confidence, 0.1);
  EXPECT_DOUBLE_EQ(alone.neutral, 0.9);
}

TEST(CountVotesTest, TheyDoBesideADoubtfulOne) {
  const Vote comment{10, 0.3, {{0, 0.6}}};
  const Vote code{90, 0.9, {{1, 0.1}}};
  const Detection d = CountVotes({code, comment}, Languages());
  EXPECT_DOUBLE_EQ(d.neutral, 0.84);
  EXPECT_DOUBLE_EQ(d.candidates[0].confidence, 0.09);
  EXPECT_DOUBLE_EQ(d.candidates[1].confidence, 0.06);
}

// Two labels of the classifier may map to one language.
TEST(CountVotesTest, SharesOfOneLanguageAddUp) {
  const Detection d =
      CountVotes({{1, 0, {{0, 0.3}, {1, 0.4}, {0, 0.3}}}}, Languages());
  EXPECT_EQ(d.candidates[0].language, "de");
  EXPECT_DOUBLE_EQ(d.candidates[0].confidence, 0.6);
}

TEST(CountVotesTest, NoVotesAreNeutral) {
  EXPECT_TRUE(CountVotes({}, Languages()).candidates.empty());
  EXPECT_EQ(CountVotes({}, Languages()).neutral, 1);
  EXPECT_EQ(CountVotes({{0, 0, {{0, 1}}}}, Languages()).neutral, 1);
}

}  // namespace
}  // namespace apollo
