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
  scenario.expert.count = 3;  // No worker gets the same expert again.
  EXPECT_THAT(InitialPlacement(scenario),
              ElementsAre(std::set{0, 1}, std::set{1, 2}, std::set{0, 2}));
}

}  // namespace
}  // namespace apollo::simulate
