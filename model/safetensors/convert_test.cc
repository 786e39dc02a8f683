#include "model/safetensors/convert.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace apollo {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Returns the value of a small binary format by its definition.
double NaiveValue(std::uint16_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = bits >> 15 ? -1.0 : 1.0;
  if (exponent == (1 << exponent_bits) - 1) {
    return mantissa == 0 ? sign * kInfinity : std::nan("");
  }
  if (exponent == 0)
    return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1 << mantissa_bits),
                           exponent - bias - mantissa_bits);
}

TEST(ConvertTest, EveryHalfWidensExactlyAndComesBack) {
  for (int i = 0; i <= 0xffff; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = F32FromF16(bits);
    const double expected = NaiveValue(bits, 5, 10);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_TRUE(std::isnan(F32FromF16(F16FromF32(value))));
      continue;
    }
    ASSERT_EQ(value, expected) << bits;
    ASSERT_EQ(F16FromF32(value), bits);
  }
}

TEST(ConvertTest, EveryBFloat16WidensExactlyAndComesBack) {
  for (int i = 0; i <= 0xffff; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float value = F32FromBF16(bits);
    const double expected = NaiveValue(bits, 8, 7);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_TRUE(std::isnan(F32FromBF16(BF16FromF32(value))));
      continue;
    }
    ASSERT_EQ(value, expected) << bits;
    ASSERT_EQ(BF16FromF32(value), bits);
  }
}

// Between two neighbours, values just below the middle round down, values just
// above round up, and the middle rounds to even.
template <typename Widen, typename Narrow>
void ExpectNearestEven(std::uint16_t largest_finite, Widen widen,
                       Narrow narrow) {
  for (std::uint16_t low = 0; low < largest_finite; ++low) {
    const auto high = static_cast<std::uint16_t>(low + 1);
    const auto middle = static_cast<float>(
        (static_cast<double>(widen(low)) + static_cast<double>(widen(high))) /
        2);
    ASSERT_EQ(narrow(middle), low % 2 == 0 ? low : high) << low;
    ASSERT_EQ(narrow(std::nextafter(middle, 0.0f)), low) << low;
    ASSERT_EQ(narrow(std::nextafter(middle, kInfinity)), high) << low;
    ASSERT_EQ(narrow(-middle), 0x8000 | (low % 2 == 0 ? low : high)) << low;
  }
}

TEST(ConvertTest, NarrowingRoundsToNearestEven) {
  ExpectNearestEven(0x7bff, F32FromF16, F16FromF32);
  ExpectNearestEven(0x7f7f, F32FromBF16, BF16FromF32);
}

TEST(ConvertTest, NarrowingOverflowsToInfinity) {
  EXPECT_EQ(F16FromF32(65519.0f), 0x7bff);
  EXPECT_EQ(F16FromF32(65520.0f), 0x7c00);
  EXPECT_EQ(F16FromF32(1e30f), 0x7c00);
  EXPECT_EQ(F16FromF32(-kInfinity), 0xfc00);
  EXPECT_EQ(BF16FromF32(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(BF16FromF32(-kInfinity), 0xff80);
}

TEST(ConvertTest, NaNStaysNaNWhateverItsPayload) {
  for (const std::uint32_t bits : {0x7f800001u, 0xff800001u, 0x7fffffffu}) {
    const auto value = std::bit_cast<float>(bits);
    EXPECT_TRUE(std::isnan(F32FromF16(F16FromF32(value))));
    EXPECT_TRUE(std::isnan(F32FromBF16(BF16FromF32(value))));
  }
}

TensorView View(DType dtype, std::vector<std::int64_t> shape,
                const std::vector<std::uint8_t>& data) {
  TensorView view;
  view.name = "x";
  view.file = "m.safetensors";
  view.dtype = dtype;
  view.dtype_name = dtype == DType::kOther ? "I64" : DTypeName(dtype);
  view.shape = std::move(shape);
  view.data = data;
  return view;
}

TEST(ConvertTest, WidensTensorsAtAnyAddress) {
  const std::vector<float> values = {1.5f, -2.0f, 0.0f, 1024.0f, -0.25f, 3.0f};
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    std::vector<std::uint8_t> bytes(1 + values.size() * DTypeSize(dtype));
    FromFloat32(values, dtype, bytes.data() + 1);
    TensorView view = View(dtype, {3, 2}, bytes);
    view.data = view.data.subspan(1);
    std::vector<float> out(values.size());
    ASSERT_TRUE(ToFloat32(view, out.data()).ok());
    EXPECT_EQ(out, values);
    std::vector<float> rows(4);
    ASSERT_TRUE(RowsToFloat32(view, 1, 2, rows.data()).ok());
    EXPECT_EQ(rows, (std::vector<float>{0.0f, 1024.0f, -0.25f, 3.0f}));
  }
}

TEST(ConvertTest, RefusesRowsThatAreNotThere) {
  const std::vector<std::uint8_t> bytes(24);
  const TensorView view = View(DType::kF32, {3, 2}, bytes);
  float out[8];
  EXPECT_TRUE(RowsToFloat32(view, 3, 0, out).ok());
  for (const auto& [first, count] :
       {std::pair<std::int64_t, std::int64_t>{0, 4},
        {3, 1},
        {-1, 1},
        {0, -1},
        {2, std::numeric_limits<std::int64_t>::max()}}) {
    EXPECT_EQ(RowsToFloat32(view, first, count, out).code(),
              absl::StatusCode::kOutOfRange)
        << first << " " << count;
  }
  EXPECT_FALSE(RowsToFloat32(View(DType::kF32, {}, bytes), 0, 1, out).ok());
}

TEST(ConvertTest, RefusesOtherTypesByName) {
  const std::vector<std::uint8_t> bytes(8);
  float out = 0;
  EXPECT_EQ(
      ToFloat32(View(DType::kOther, {1}, bytes), &out).message(),
      "m.safetensors: tensor \"x\": dtype I64 cannot be used; F32, F16 and "
      "BF16 can");
  EXPECT_FALSE(RowsToFloat32(View(DType::kOther, {1}, bytes), 0, 1, &out).ok());
}

}  // namespace
}  // namespace apollo
