#include "kernels/weight_format.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "kernels/packed_matrix.h"

namespace apollo {
namespace {

TEST(WeightFormatTest, TheTableIsInTheOrderOfTheEnum) {
  std::set<std::string> names;
  for (const WeightFormatInfo& info : kWeightFormats) {
    EXPECT_EQ(&InfoOf(info.format), &info) << info.name;
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_TRUE(info.group == 1 || info.group == kGroup) << info.name;
  }
}

TEST(WeightFormatTest, BitsAreThoseOfTheDocumentation) {
  EXPECT_EQ(BitsPerWeight(WeightFormat::kF32), 32);
  EXPECT_EQ(BitsPerWeight(WeightFormat::kBF16), 16);
  EXPECT_EQ(BitsPerWeight(WeightFormat::kInt8), 8.5);
  EXPECT_EQ(BitsPerWeight(WeightFormat::kInt4), 5);
}

TEST(WeightFormatTest, AMatrixWithoutPaddingTakesThatManyBits) {
  for (const WeightFormatInfo& info : kWeightFormats) {
    EXPECT_EQ(PackedMatrix::Bytes(64, 96, info.format),
              64 * 96 / info.group * info.group_bytes)
        << info.name;
  }
}

}  // namespace
}  // namespace apollo
