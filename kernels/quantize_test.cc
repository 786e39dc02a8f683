#include "kernels/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/half.h"

namespace apollo {
namespace {

constexpr WeightFormat kFormats[] = {WeightFormat::kInt8, WeightFormat::kInt4};
// The smallest positive f16.
constexpr float kLeast = 0x1p-24f;

// Returns magnitudes of group values, from typical weights down to zero.
std::vector<float> Sizes() {
  std::vector<float> sizes;
  for (float size = 10; size > 1e-10f; size /= 3.1f) sizes.push_back(size);
  for (const float size :
       {1e-3f, 1e-4f, 1e-5f, 1e-6f, 127 * kLeast, 1e-7f, kLeast, kLeast / 2,
        kLeast / 4, 1e-8f, 1e-9f, std::numeric_limits<float>::min(), 1e-40f,
        std::numeric_limits<float>::denorm_min()}) {
    sizes.push_back(size);
  }
  return sizes;
}

// Returns groups with numbers of both signs, of one sign, and far from zero
// compared with their range. `size` is the largest magnitude.
std::vector<std::vector<float>> Groups(float size) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> any(-1, 1);
  std::vector<std::vector<float>> groups;
  for (const int count : {1, 5, 31, 32}) {
    std::vector<float> group(count);
    for (float& x : group) x = size * any(random);
    group[count / 2] = size;
    groups.push_back(group);
    for (float& x : group) x = -x;
    groups.push_back(group);
    for (float& x : group) x = -std::abs(x);
    groups.push_back(group);
    for (float& x : group) x = size * (1 + any(random) / 100) / 1.01f;
    groups.push_back(group);
  }
  return groups;
}

TEST(QuantizeTest, ErrorsAreAtMostHalfAStepHoweverSmallTheNumbers) {
  for (const float size : Sizes()) {
    for (const std::vector<float>& x : Groups(size)) {
      for (const WeightFormat format : kFormats) {
        const int count = static_cast<int>(x.size());
        const WeightGroup group = QuantizeGroup(x.data(), count, format);
        const double scale = F32FromF16Bits(group.scale);
        const auto [low, high] = std::minmax_element(x.begin(), x.end());
        // The step of the exact scale, then that of the next f16. Without the
        // rounding of the minimum, an int4 group would include zero.
        double step = 0;
        if (format == WeightFormat::kInt8) {
          step = std::max(std::abs(*low), std::abs(*high)) / 127.0;
        } else {
          const double spread = std::max(*high, 0.0f) - std::min(*low, 0.0f);
          step = (spread * (1 + 0x1p-10) + kLeast) / 15;
        }
        ASSERT_LE(scale, step * (1 + 0x1p-10) + kLeast) << size;
        for (int i = 0; i < count; ++i) {
          // Half a step. The range may be exceeded by a 2^-20th, and the
          // division rounds.
          const double bound = scale * (0.5 + 127 * 0x1p-19) +
                               std::numeric_limits<float>::denorm_min();
          ASSERT_NEAR(Dequantize(group, i, format), x[i], bound)
              << "int" << (format == kFormats[0] ? 8 : 4) << " of size "
              << size;
        }
      }
    }
  }
}

TEST(QuantizeTest, WhatIsBelowHalfTheLeastScaleBecomesZero) {
  for (const float size : {0.999f * kLeast / 2, 1e-9f, 1e-40f,
                           std::numeric_limits<float>::denorm_min(), 0.0f}) {
    for (const std::vector<float>& x : Groups(size)) {
      for (const WeightFormat format : kFormats) {
        const int count = static_cast<int>(x.size());
        const WeightGroup group = QuantizeGroup(x.data(), count, format);
        for (int i = 0; i < count; ++i) {
          ASSERT_EQ(Dequantize(group, i, format), 0.0f) << size;
        }
      }
    }
  }
  // Larger numbers do not.
  for (const WeightFormat format : kFormats) {
    const float x[] = {1.01f * kLeast / 2};
    EXPECT_EQ(Dequantize(QuantizeGroup(x, 1, format), 0, format), kLeast);
  }
}

TEST(QuantizeTest, NumbersUpToTheLargestStayFinite) {
  for (const WeightFormat format : kFormats) {
    const float most = LargestWeight(format);
    for (const float low : {-most, 0.0f, most}) {
      for (const float high : {-most, 0.0f, most}) {
        std::vector<float> row = {low, high, 0, 1};
        RoundRow(row.data(), 4, format);
        // Half a step of the widest group, and the rounding to f16.
        const float step =
            format == WeightFormat::kInt8 ? most / 127 : most / 7;
        EXPECT_NEAR(row[0], low, step);
        EXPECT_NEAR(row[1], high, step);
      }
    }
    for (const float beyond : {1.01f * most, -1.01f * most}) {
      float row[] = {beyond, -beyond};
      RoundRow(row, 2, format);
      EXPECT_TRUE(std::isnan(row[0])) << beyond;
    }
  }
  EXPECT_EQ(
      F32FromBf16Bits(Bf16BitsFromF32(LargestWeight(WeightFormat::kBF16))),
      LargestWeight(WeightFormat::kBF16));
  EXPECT_FALSE(std::isfinite(
      F32FromBf16Bits(Bf16BitsFromF32(LargestWeight(WeightFormat::kF32)))));
}

}  // namespace
}  // namespace apollo
