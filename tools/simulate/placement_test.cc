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

TEST(HolderTargetsTest, FollowDemand) {
  const std::vector<double> demand = {1, 8, 0, 3};
  EXPECT_THAT(HolderTargets(demand, 4, 9), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(HolderTargets(demand, 8, 9), ElementsAre(1, 4, 1, 2));
  EXPECT_THAT(HolderTargets(demand, 8, 3), ElementsAre(1, 3, 1, 3));
}

TEST(RebalanceTest, KeepsWhatItCan) {
  const std::vector<std::set<int>> current = {{0}, {1}, {2}, {0}};
  EXPECT_EQ(Rebalance(current, std::vector{2, 1, 1}), current);
  EXPECT_THAT(Rebalance(current, std::vector{1, 2, 1}),
              ElementsAre(std::set{0}, std::set{1}, std::set{2}, std::set{1}));
}

TEST(DecideStandbyTest, LoadsWhatIsSentAwayMost) {
  const std::vector<double> used = {50, 5, 30, 15};
  StandbyState state = {used, {0}, {0}, {}, 1};
  auto change = DecideStandby(state);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->load, 2);
  EXPECT_FALSE(change->drop);
  state.resident = {0, 1};  // Full: gives up what it uses little.
  change = DecideStandby(state);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->load, 2);
  EXPECT_EQ(change->drop, 1);
  state.needed = {1};  // But not what nobody else has.
  EXPECT_FALSE(DecideStandby(state));
  state.needed = {};
  state.resident = {0, 2};  // The change would not be worth it.
  EXPECT_FALSE(DecideStandby(state));
}

TEST(DecideStandbyTest, LeavesRareExpertsAway) {
  const std::vector<double> used = {90, 5, 5, 0};
  EXPECT_FALSE(DecideStandby({used, {0}, {0}, {}, 2}));
  const std::vector<double> none = {0, 0, 0, 0};
  EXPECT_FALSE(DecideStandby({none, {0}, {0}, {}, 2}));
}

}  // namespace
}  // namespace apollo::simulate
