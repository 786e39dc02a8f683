#include "tools/upcycle/affinity_gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "tools/upcycle/gate.h"

namespace apollo {
namespace {

constexpr int kHidden = 12;
constexpr int kFamilies = 4;
constexpr int kStates = 200;

// State i of a family: a constant that all states have, the family's direction,
// and noise that is large along directions of no family.
std::vector<float> StateOf(int family, int i) {
  const std::vector<float> noise =
      MakeGate(7, family, kStates, kHidden, /*standard_deviation=*/0.3);
  std::vector<float> state(kHidden);
  for (int j = 0; j < kHidden; ++j) {
    const float own = noise[static_cast<std::size_t>(i) * kHidden + j];
    state[j] = 5 + own * (j >= kFamilies ? 10 : 1);
  }
  state[family] += 1;
  return state;
}

StateSums Sums() {
  StateSums sums(kHidden, std::vector<std::int64_t>(kFamilies, kStates));
  for (int f = 0; f < kFamilies; ++f) {
    for (int i = 0; i < kStates; ++i) sums.Add(f, StateOf(f, i));
  }
  return sums;
}

std::vector<double> LogitsOf(const std::vector<float>& gate,
                             const std::vector<double>& state) {
  std::vector<double> logits(kFamilies);
  for (int f = 0; f < kFamilies; ++f) {
    for (int j = 0; j < kHidden; ++j) {
      logits[f] += gate[static_cast<std::size_t>(f) * kHidden + j] * state[j];
    }
  }
  return logits;
}

TEST(AffinityGateTest, PrefersTheFamilyOfAState) {
  const auto gate = MakeAffinityGate(Sums(), 4);
  ASSERT_TRUE(gate.ok()) << gate.status();
  ASSERT_EQ(gate->size(), static_cast<std::size_t>(kFamilies * kHidden));
  int right = 0;
  for (int f = 0; f < kFamilies; ++f) {
    for (int i = 0; i < kStates; ++i) {
      const std::vector<float> state = StateOf(f, i);
      const auto logits = LogitsOf(*gate, {state.begin(), state.end()});
      right +=
          std::max_element(logits.begin(), logits.end()) == logits.begin() + f;
    }
  }
  // The distance between two families is 1 * sqrt(2), 4.7 deviations of the
  // noise between them; so almost all, although the noise elsewhere is larger.
  EXPECT_GT(right, kFamilies * kStates * 95 / 100);
}

TEST(AffinityGateTest, HasTheMarginAskedFor) {
  const StateSums sums = Sums();
  for (const double margin : {1.0, 4.0}) {
    const auto gate = MakeAffinityGate(sums, margin);
    ASSERT_TRUE(gate.ok()) << gate.status();
    double sum = 0;
    for (int f = 0; f < kFamilies; ++f) {
      const auto logits = LogitsOf(*gate, sums.Mean(f));
      double next = -std::numeric_limits<double>::infinity();
      for (int e = 0; e < kFamilies; ++e) {
        if (e != f) next = std::max(next, logits[e]);
      }
      sum += logits[f] - next;
    }
    EXPECT_NEAR(sum / kFamilies, margin, 1e-3);
  }
}

TEST(AffinityGateTest, EqualStatesGiveEqualBits) {
  EXPECT_EQ(*MakeAffinityGate(Sums(), 4), *MakeAffinityGate(Sums(), 4));
}

TEST(AffinityGateTest, FamiliesOfEqualStatesAreNotToldApart) {
  StateSums sums(kHidden, {2, 2});
  for (int f = 0; f < 2; ++f) {
    for (int i = 0; i < 2; ++i) sums.Add(f, StateOf(0, i));
  }
  EXPECT_EQ(MakeAffinityGate(sums, 4).status().code(),
            absl::StatusCode::kInvalidArgument);
}

// Without spread there is no covariance; the means alone decide.
TEST(AffinityGateTest, OneStateOfEachFamilySuffices) {
  StateSums sums(kHidden, {1, 1, 1, 1});
  for (int f = 0; f < kFamilies; ++f) sums.Add(f, StateOf(f, 0));
  const auto gate = MakeAffinityGate(sums, 2);
  ASSERT_TRUE(gate.ok()) << gate.status();
  for (int f = 0; f < kFamilies; ++f) {
    const auto logits = LogitsOf(*gate, sums.Mean(f));
    EXPECT_EQ(std::max_element(logits.begin(), logits.end()) - logits.begin(),
              f);
  }
}

}  // namespace
}  // namespace apollo
