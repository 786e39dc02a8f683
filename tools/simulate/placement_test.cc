#include "tools/simulate/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace apollo::simulate {
namespace {

using testing::ElementsAre;

TEST(InitialPlacementTest, ExpertsAreOnTheWorkersInTurn) {
  Scenario scenario;
  scenario.model.experts = 4;
  scenario.expert.count = 3;
  EXPECT_THAT(InitialPlacement(scenario),
              ElementsAre(std::set{0, 3}, std::set{1}, std::set{2}));
  scenario.expert.count = 6;  // More workers than experts.
  EXPECT_THAT(InitialPlacement(scenario),
              ElementsAre(std::set{0}, std::set{1}, std::set{2}, std::set{3},
                          std::set{0}, std::set{1}));
  scenario.expert.count = 4;
  scenario.expert.replicas = 2;
  scenario.model.experts = 3;
  EXPECT_THAT(
      InitialPlacement(scenario),
      ElementsAre(std::set{0, 1}, std::set{1, 2}, std::set{2}, std::set{0}));
}

TEST(NextMoveTest, LoadsWhatIsSentAwayMost) {
  const std::vector<double> used = {50, 5, 30, 15};
  MoveState state = {used, {0}, {0}, {}, 1};
  auto change = NextMove(state);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->load, 2);
  EXPECT_FALSE(change->drop);
  state.resident = {0, 1};  // Full: gives up what it uses little.
  change = NextMove(state);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->load, 2);
  EXPECT_EQ(change->drop, 1);
  state.needed = {1};  // But not what nobody else has.
  EXPECT_FALSE(NextMove(state));
  state.needed = {};
  state.resident = {0, 2};  // The change would not be worth it.
  EXPECT_FALSE(NextMove(state));
}

// Placement `auto`: no expert is fixed.
TEST(NextMoveTest, ReplacesWhatOthersHaveToo) {
  const std::vector<double> used = {5, 40, 0};
  auto move = NextMove({used, {}, {0}, {}, 1});
  ASSERT_TRUE(move);
  EXPECT_EQ(move->load, 1);
  EXPECT_EQ(move->drop, 0);
  EXPECT_FALSE(NextMove({used, {}, {0}, {0}, 1}));
}

TEST(NextMoveTest, LeavesRareExpertsAway) {
  const std::vector<double> used = {90, 5, 5, 0};
  EXPECT_FALSE(NextMove({used, {0}, {0}, {}, 2}));
  const std::vector<double> none = {0, 0, 0, 0};
  EXPECT_FALSE(NextMove({none, {0}, {0}, {}, 2}));
}

}  // namespace
}  // namespace apollo::simulate
