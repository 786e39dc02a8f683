#include "expert_worker/expert_demand.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

constexpr LayerExpert kOne = {3, 1}, kOther = {4, 1};

TEST(ExpertDemandTest, CountsHalveWithTheHalfLife) {
  ExpertDemand demand;
  const absl::Duration start = absl::Hours(7);
  demand.Add(kOne, {100, 40, 8}, start);
  const auto now = demand.At(kOne, start);
  EXPECT_DOUBLE_EQ(now.own, 100);
  const auto later = demand.At(kOne, start + ExpertDemand::kHalfLife);
  EXPECT_DOUBLE_EQ(later.own, 50);
  EXPECT_DOUBLE_EQ(later.absent, 20);
  EXPECT_DOUBLE_EQ(later.guests, 4);
  EXPECT_DOUBLE_EQ(demand.At(kOther, start).own, 0);
  demand.Add(kOne, {10, 0, 0}, start + 2 * ExpertDemand::kHalfLife);
  EXPECT_DOUBLE_EQ(demand.At(kOne, start + 2 * ExpertDemand::kHalfLife).own,
                   35);
}

TEST(ExpertDemandTest, AnHourWithoutRowsIsForgotten) {
  ExpertDemand demand;
  demand.Add(kOne, {1e9, 1e9, 1e9}, {});
  const absl::Duration hour = ExpertDemand::kForgetAfter;
  EXPECT_GT(demand.At(kOne, hour - absl::Seconds(1)).own, 0);
  EXPECT_DOUBLE_EQ(demand.At(kOne, hour).own, 0);
  demand.Add(kOne, {3, 2, 1}, hour);
  EXPECT_DOUBLE_EQ(demand.At(kOne, hour).own, 3);
}

}  // namespace
}  // namespace apollo
