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
      RoundRow(expected.data(), 96, GetParam());
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
                                         WeightFormat::kInt8,
                                         WeightFormat::kInt4));

TEST(PackedWeightsTest, ABlockHasTheBitsOfItsFormat) {
  for (const WeightFormat format :
       {WeightFormat::kBF16, WeightFormat::kInt8, WeightFormat::kInt4}) {
    const PackedShape shape = {16, 32, format, false};
    EXPECT_EQ(8.0 * static_cast<double>(PackedBytes(shape)),
              16 * 32 * BitsPerWeight(format));
  }
}

// The 16 numbers, an f16 scale and an f16 minimum of a group come back exactly.
TEST(PackedWeightsTest, EveryInt4NumberIsKept) {
  const PackedShape shape = {16, 32, WeightFormat::kInt4, false};
  std::vector<float> w(16 * 32);
  for (int r = 0; r < 16; ++r) {
    for (int i = 0; i < 32; ++i) {
      const int number = i < 2 ? i * 15 : (i * 7 + r * 5) % 16;
      w[r * 32 + i] = static_cast<float>(number * (r + 1) - 3 * r);
    }
  }
  std::vector<std::byte> packed(PackedBytes(shape), std::byte{0xff});
  PackRows(shape, 0, 16, w.data(), packed.data());
  std::vector<float> unpacked(w.size());
  for (int r = 0; r < 16; ++r) {
    UnpackRow(shape, packed.data(), r, &unpacked[r * 32]);
  }
  EXPECT_EQ(unpacked, w);
}

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
  EXPECT_TRUE(CheckPackedShape({8, 32, WeightFormat::kInt4}).ok());
  EXPECT_TRUE(CheckPackedShape({48, 96, WeightFormat::kInt4, true}).ok());
  EXPECT_TRUE(CheckPackedShape({1048560, 32}).ok());
  for (const PackedShape& shape :
       {PackedShape{0, 32}, PackedShape{1048561, 32}, PackedShape{8, 0},
        PackedShape{8, 40}, PackedShape{40, 32, WeightFormat::kBF16, true},
        PackedShape{8, 32, WeightFormat::kF32},
        PackedShape{8, 48, WeightFormat::kInt4},
        PackedShape{40, 32, WeightFormat::kInt4, true}}) {
    EXPECT_EQ(CheckPackedShape(shape).code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_NE(CheckPackedShape({8, 40}).message().find("40"),
            absl::string_view::npos);
  EXPECT_NE(CheckPackedShape({8, 32, WeightFormat::kF32})
                .message()
                .find("float32 are not supported on GPUs; use bf16, int8 or "
                      "int4"),
            absl::string_view::npos);
}

}  // namespace
}  // namespace apollo::cuda
