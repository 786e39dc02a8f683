#include "kernels/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>

namespace apollo {
namespace {

TEST(RopeTest, RotatesPairsOfHalvesLikeComplexNumbers) {
  const Rope rope(PlainRopeFrequencies(6, 10000.0));
  float angles[6];
  for (const int position : {0, 1, 7, 4000}) {
    rope.Angles(position, angles);
    float x[12] = {1, 2, 3, 4, 5, 6, -1, 0.5f, 2, 0, 3, -2};
    const float before[12] = {1, 2, 3, 4, 5, 6, -1, 0.5f, 2, 0, 3, -2};
    rope.Rotate(angles, 2, x);
    for (int h = 0; h < 2; ++h) {
      for (int j = 0; j < 3; ++j) {
        const double angle = position * std::pow(10000.0, -2.0 * j / 6);
        const std::complex<double> turned =
            std::complex<double>(before[h * 6 + j], before[h * 6 + j + 3]) *
            std::polar(1.0, angle);
        // float32 angles near 4000 have an error of up to 4000 * 2^-24 =
        // 2.4e-4.
        EXPECT_NEAR(x[h * 6 + j], turned.real(), 3e-3);
        EXPECT_NEAR(x[h * 6 + j + 3], turned.imag(), 3e-3);
      }
    }
  }
}

TEST(RopeTest, TheScaleCountsForCosinesAndSines) {
  RopeFrequencies frequencies = PlainRopeFrequencies(4, 100.0);
  EXPECT_EQ(frequencies.scale, 1.0f);
  const Rope plain(frequencies);
  frequencies.scale = 1.25f;
  frequencies.inverse[1] = 0.5f;
  const Rope scaled(frequencies);
  float before[4], after[4];
  plain.Angles(3, before);
  scaled.Angles(3, after);
  EXPECT_EQ(after[0], before[0] * 1.25f);
  EXPECT_EQ(after[2], before[2] * 1.25f);
  EXPECT_EQ(after[1], std::cos(1.5f) * 1.25f);
  EXPECT_EQ(after[3], std::sin(1.5f) * 1.25f);
  float x[4] = {3, 1, 4, 2};
  scaled.Rotate(after, 1, x);
  // A rotation keeps the length of (x[j], x[j + 2]), and the scale multiplies
  // it.
  EXPECT_NEAR(std::hypot(x[0], x[2]), 5 * 1.25, 1e-5);
  EXPECT_NEAR(std::hypot(x[1], x[3]), std::sqrt(5.0) * 1.25, 1e-5);
}

}  // namespace
}  // namespace apollo
