#include "tests/faults/network/wire.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace apollo {
namespace {

constexpr absl::Duration kNow = absl::Seconds(7);

std::vector<bool> Arrivals(Wire& wire, int packets) {
  std::vector<bool> arrivals;
  for (int i = 0; i < packets; ++i) {
    arrivals.push_back(wire.Arrival(kNow).has_value());
  }
  return arrivals;
}

TEST(WireTest, AWholeWireDeliversAtOnce) {
  Wire wire(/*seed=*/1);
  EXPECT_EQ(wire.Arrival(kNow), kNow);
}

TEST(WireTest, ACutWireDeliversNothing) {
  Wire wire(1);
  wire.faults = {.cut = true, .delay = absl::Milliseconds(50)};
  EXPECT_EQ(wire.Arrival(kNow), std::nullopt);
  wire.faults = {};
  EXPECT_EQ(wire.Arrival(kNow), kNow);
}

TEST(WireTest, ASlowWireDeliversLater) {
  Wire wire(1);
  wire.faults.delay = absl::Milliseconds(50);
  EXPECT_EQ(wire.Arrival(kNow), kNow + absl::Milliseconds(50));
}

TEST(WireTest, LosesAsManyAsAskedForAndTheSameBySeed) {
  Wire wire(1), same(1), other(2);
  for (Wire* each : {&wire, &same, &other}) each->faults.loss = 0.1;
  const std::vector<bool> arrivals = Arrivals(wire, 10'000);
  const auto lost = std::count(arrivals.begin(), arrivals.end(), false);
  EXPECT_GT(lost, 850);  // Five standard deviations of 30.
  EXPECT_LT(lost, 1150);
  EXPECT_EQ(Arrivals(same, 10'000), arrivals);
  EXPECT_NE(Arrivals(other, 10'000), arrivals);
}

}  // namespace
}  // namespace apollo
