#include "kernels/cuda/packed_weights.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <random>
#include <vector>

#include "kernels/half.h"
#include "kernels/quantize.h"

namespace apollo::cuda {
namespace {

std::vector<float> Random(std::size_t size) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> x(size);
  for (float& value : x) value = normal(random);
  return x;
}

class PackedWeightsTest : public testing::TestWithParam<WeightFormat> {};

TEST_P(PackedWeightsTest, RowsComeBackRounded) {
  for (const bool paired : {false, true}) {
    const PackedShape shape = {48, 96, GetParam(), paired};
    const std::vector<float> w = Random(48 * 96);
    std::vector<std::byte> packed(PackedBytes(shape), std::byte{0xff});
    ClearPadding(shape, packed.data());
    PackRows(shape, 0, 5, w.data(), packed.data());
    PackRows(shape, 5, 43, w.data() + 5 * 96, packed.data());
    for (int r = 0; r < 48; ++r) {
      std::vector<float> expected(w.begin() + r * 96, w.begin() + r * 96 + 96);
      if (GetParam() == WeightFormat::kInt8) {
        RoundRow(expected.data(), 96, WeightFormat::kInt8);
      } else {
        for (float& x : expected) x = F32FromBf16Bits(Bf16BitsFromF32(x));
      }
      std::vector<float> row(96);
      UnpackRow(shape, packed.data(), r, row.data());
      EXPECT_EQ(row, expected) << "row " << r;
    }
  }
}

TEST_P(PackedWeightsTest, PaddingIsZero) {
  const PackedShape shape = {5, 32, GetParam(), false};
  const PackedShape whole = {16, 32, GetParam(), false};
  ASSERT_EQ(PackedBytes(shape), PackedBytes(whole));
  std::vector<std::byte> packed(PackedBytes(shape), std::byte{0xff});
  PackRows(shape, 0, 5, Random(5 * 32).data(), packed.data());
  ClearPadding(shape, packed.data());
  for (int r = 0; r < 16; ++r) {
    std::vector<float> row(32);
    UnpackRow(whole, packed.data(), r, row.data());
    EXPECT_EQ(row == std::vector<float>(32, 0.0f), r >= 5) << "row " << r;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, PackedWeightsTest,
                         testing::Values(WeightFormat::kBF16,
                                         WeightFormat::kInt8));

TEST(PackedWeightsTest, Bf16RowsAreStoredUnchanged) {
  const PackedShape shape = {3, 32, WeightFormat::kBF16, false};
  std::vector<std::uint16_t> w(3 * 32);
  for (std::size_t i = 0; i < w.size(); ++i) {
    w[i] = static_cast<std::uint16_t>(0x3f80 + i);
  }
  std::vector<std::byte> packed(PackedBytes(shape));
  PackBf16Rows(shape, 0, 3, w.data(), packed.data());
  for (int r = 0; r < 3; ++r) {
    std::vector<float> row(32);
    UnpackRow(shape, packed.data(), r, row.data());
    for (int i = 0; i < 32; ++i) {
      EXPECT_EQ(row[i], F32FromBf16Bits(w[r * 32 + i]));
    }
  }
}

TEST(PackedWeightsTest, ShapesThatTheProductsCannotDoAreRefused) {
  EXPECT_TRUE(CheckPackedShape({1, 32}).ok());
  EXPECT_TRUE(CheckPackedShape({48, 64, WeightFormat::kInt8, true}).ok());
  EXPECT_TRUE(CheckPackedShape({1048560, 32}).ok());
  for (const PackedShape& shape :
       {PackedShape{0, 32}, PackedShape{1048561, 32}, PackedShape{8, 0},
        PackedShape{8, 40}, PackedShape{40, 32, WeightFormat::kBF16, true},
        PackedShape{8, 32, WeightFormat::kF32},
        PackedShape{8, 32, WeightFormat::kInt4}}) {
    EXPECT_EQ(CheckPackedShape(shape).code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_NE(CheckPackedShape({8, 40}).message().find("40"),
            absl::string_view::npos);
}

}  // namespace
}  // namespace apollo::cuda
