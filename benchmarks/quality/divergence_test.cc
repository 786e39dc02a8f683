#include "benchmarks/quality/divergence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace apollo {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST(DivergenceTest, IsKullbackLeiblersInNats) {
  Divergence divergence;
  // p = 1/2, 1/2; q = 1/4, 3/4. Logits may have any offset.
  const float p[] = {3, 3};
  const float q[] = {0, std::log(3.0f)};
  ASSERT_TRUE(divergence.Add(p, q, 2).ok());
  const double expected = 0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3);
  EXPECT_NEAR(divergence.mean(), expected, 1e-6);
  ASSERT_TRUE(divergence.Add(q, q, 2).ok());
  EXPECT_NEAR(divergence.mean(), expected / 2, 1e-6);
  EXPECT_NEAR(divergence.percentile99(), expected, 1e-6);
  // The first is a tie, which the lower token wins.
  EXPECT_EQ(divergence.same_choice(), 0.5);
  Divergence all;
  all.Add(divergence);
  all.Add(divergence);
  EXPECT_EQ(all.count(), 4);
  EXPECT_NEAR(all.mean(), expected / 2, 1e-6);
  EXPECT_EQ(all.same_choice(), 0.5);
}

TEST(DivergenceTest, WhatIsNotFiniteIsAnError) {
  const float good[] = {1, 2, 3};
  for (const float bad : {kNaN, kInfinity}) {
    for (int at = 0; at < 3; ++at) {
      float logits[] = {1, 2, 3};
      logits[at] = bad;
      Divergence divergence;
      for (const absl::Status& status :
           {divergence.Add(logits, good, 3), divergence.Add(good, logits, 3),
            divergence.Add(logits, logits, 3)}) {
        EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
        EXPECT_NE(std::string(status.message()).find("not a finite number"),
                  std::string::npos);
      }
      EXPECT_EQ(divergence.count(), 0);
    }
  }
  // A token that is impossible in the other model, but not in the exact one.
  const float none[] = {1, -kInfinity, 3};
  EXPECT_FALSE(Divergence().Add(good, none, 3).ok());
}

}  // namespace
}  // namespace apollo
