#include "tools/upcycle/gate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace apollo {
namespace {

TEST(MakeGateTest, DependsOnlyOnSeedLayerAndPlace) {
  const std::vector<float> gate = MakeGate(1, 28, 7, 64, 0.02);
  ASSERT_EQ(gate.size(), 7u * 64);
  EXPECT_EQ(gate, MakeGate(1, 28, 7, 64, 0.02));
  EXPECT_NE(gate, MakeGate(2, 28, 7, 64, 0.02));
  EXPECT_NE(gate, MakeGate(1, 29, 7, 64, 0.02));
  const std::vector<float> fewer = MakeGate(1, 28, 3, 64, 0.02);
  EXPECT_EQ(fewer, std::vector<float>(gate.begin(), gate.begin() + 3 * 64));
}

// Computed with Python's exact integers; guards the promise of equal bits on
// every machine.
TEST(MakeGateTest, HasTheseValues) {
  const std::vector<float> gate = MakeGate(1, 28, 1, 4, 0.02);
  EXPECT_EQ(gate[0], 0x1.317926p-7f);
  EXPECT_EQ(gate[1], 0x1.69f0bep-7f);
  EXPECT_EQ(gate[3], 0x1.87a4b6p-8f);
}

TEST(MakeGateTest, HasTheMeanAndDeviationAskedFor) {
  constexpr int kCount = 100'000;
  const std::vector<float> gate = MakeGate(3, 0, 10, kCount / 10, 0.5);
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  for (const float value : gate) {
    sum += value;
    squares += static_cast<double>(value) * value;
    fourth += std::pow(value / 0.5, 4);
  }
  // The standard error of the mean is 0.5 / sqrt(100,000) = 0.0016, that of the
  // deviation 0.0011, and the fourth moment of a normal distribution is 3
  // (Irwin-Hall: 2.9).
  EXPECT_NEAR(sum / kCount, 0, 0.008);
  EXPECT_NEAR(std::sqrt(squares / kCount), 0.5, 0.006);
  EXPECT_NEAR(fourth / kCount, 2.9, 0.15);
}

TEST(MakeGateTest, ADeviationOfZeroGivesZeros) {
  EXPECT_EQ(MakeGate(1, 0, 2, 3, 0), std::vector<float>(6, 0.0f));
}

}  // namespace
}  // namespace apollo
