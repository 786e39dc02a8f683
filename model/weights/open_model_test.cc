#include "model/weights/open_model.h"

#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

TEST(OpenModelTest, WorkersWithOtherWeightsHaveAnotherHash) {
  const std::string directory = "tests/golden/published";
  const auto plain = OpenModelDirectory(directory);
  ASSERT_TRUE(plain.ok()) << plain.status();
  const auto hash = [&directory](WeightFormat format) {
    return OpenModelDirectory(directory, format)->hash;
  };
  EXPECT_EQ(hash(WeightFormat::kInt8), plain->hash + "+int8");
  EXPECT_EQ(hash(WeightFormat::kInt4), plain->hash + "+int4");
  EXPECT_EQ(hash(WeightFormat::kBF16), plain->hash + "+bf16");
  EXPECT_EQ(hash(WeightFormat::kF32), plain->hash + "+float32");
}

}  // namespace
}  // namespace apollo
