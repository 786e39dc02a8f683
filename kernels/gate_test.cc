#include "kernels/gate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

namespace apollo {
namespace {

// exp of these: 1, 4, 2, 8, 1 -> probabilities in sixteenths.
const std::vector<float> kLogits = {0.0f, std::log(4.0f), std::log(2.0f),
                                    std::log(8.0f), 0.0f};

std::vector<ExpertChoice> Choose(int k, bool normalize, int pinned) {
  std::vector<ExpertChoice> choices(k);
  ChooseExperts(kLogits.data(), {5, k, normalize}, pinned, choices.data());
  return choices;
}

TEST(ChooseExpertsTest, TopKInFallingOrder) {
  const auto choices = Choose(3, false, -1);
  EXPECT_EQ(choices[0].expert, 3);
  EXPECT_FLOAT_EQ(choices[0].weight, 8 / 16.0f);
  EXPECT_EQ(choices[1].expert, 1);
  EXPECT_FLOAT_EQ(choices[1].weight, 4 / 16.0f);
  EXPECT_EQ(choices[2].expert, 2);
  EXPECT_FLOAT_EQ(choices[2].weight, 2 / 16.0f);
}

TEST(ChooseExpertsTest, PinnedExpertReplacesOnlyTheLast) {
  const auto choices = Choose(2, false, 4);
  EXPECT_EQ(choices[0].expert, 3);
  EXPECT_EQ(choices[1].expert, 4);
  EXPECT_FLOAT_EQ(choices[1].weight, 1 / 16.0f);
}

TEST(ChooseExpertsTest, PinnedExpertAlreadyChosenChangesNothing) {
  for (const int pinned : {3, 1}) {
    const auto choices = Choose(2, false, pinned);
    EXPECT_EQ(choices[0].expert, 3);
    EXPECT_EQ(choices[1].expert, 1);
  }
}

TEST(ChooseExpertsTest, PinnedIsTheOnlyOneWhenKIsOne) {
  const auto choices = Choose(1, false, 0);
  EXPECT_EQ(choices[0].expert, 0);
  EXPECT_FLOAT_EQ(choices[0].weight, 1 / 16.0f);
}

TEST(ChooseExpertsTest, NormalisesOverTheChosenAfterPinning) {
  const auto choices = Choose(2, true, 0);
  EXPECT_EQ(choices[1].expert, 0);
  EXPECT_FLOAT_EQ(choices[0].weight, 8 / 9.0f);
  EXPECT_FLOAT_EQ(choices[1].weight, 1 / 9.0f);
}

TEST(ChooseExpertsTest, EqualProbabilitiesGoToTheLowerExpert) {
  const auto choices = Choose(5, false, -1);
  EXPECT_EQ(choices[3].expert, 0);
  EXPECT_EQ(choices[4].expert, 4);
}

TEST(ChooseExpertsTest, SaysWhetherThePinnedExpertReplacedOne) {
  std::vector<ExpertChoice> choices(2);
  // The gate itself chooses 3 and 1.
  const std::vector<std::pair<int, bool>> kCases = {
      {-1, false}, {0, true}, {1, false}, {2, true}, {3, false}, {4, true}};
  for (const auto& [pinned, replaces] : kCases) {
    EXPECT_EQ(
        ChooseExperts(kLogits.data(), {5, 2, false}, pinned, choices.data()),
        replaces)
        << pinned;
  }
}

TEST(ChooseExpertsTest, LargeLogitsDoNotOverflow) {
  const std::vector<float> logits = {300.0f, 301.0f, -300.0f};
  std::vector<ExpertChoice> choices(2);
  ChooseExperts(logits.data(), {3, 2, true}, -1, choices.data());
  EXPECT_EQ(choices[0].expert, 1);
  EXPECT_NEAR(choices[0].weight, 1 / (1 + std::exp(-1.0)), 1e-6);
}

}  // namespace
}  // namespace apollo
