#include "link/nccl/host_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace apollo {
namespace {

// The value by the definition of the format, for all 65536 numbers.
double Value(int bits, int exponent_bits, int fraction_bits) {
  const int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
  const int fraction = bits & ((1 << fraction_bits) - 1);
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  const double whole =
      exponent == 0 ? fraction : fraction + (1 << fraction_bits);
  return sign * std::ldexp(whole, std::max(exponent, 1) - bias - fraction_bits);
}

void ExpectEqual(float actual, double expected, int bits) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(actual)) << bits;
  } else {
    EXPECT_EQ(actual, expected) << bits;
    EXPECT_EQ(std::signbit(actual), std::signbit(expected)) << bits;
  }
}

TEST(HostRowsTest, EveryNumberIsExact) {
  for (int bits = 0; bits < 1 << 16; ++bits) {
    const auto word = static_cast<std::uint16_t>(bits);
    ExpectEqual(FromF16(word), Value(bits, 5, 10), bits);
    ExpectEqual(FromBf16(word), Value(bits, 8, 7), bits);
  }
}

TEST(HostRowsTest, KeepsTheShape) {
  const std::vector<std::uint16_t> halves = {0x3c00, 0xc000, 0, 0x7bff, 1, 2};
  const Rows rows =
      HostRows(std::as_bytes(std::span(halves)), 3, 2, RowType::kF16);
  EXPECT_EQ(rows.rows(), 3);
  EXPECT_EQ(rows.width(), 2);
  EXPECT_EQ(rows.host()[1], -2.f);
  EXPECT_EQ(rows.host()[3], 65504.f);
  EXPECT_TRUE(HostRows({}, 0, 2, RowType::kF32).empty());
}

}  // namespace
}  // namespace apollo
