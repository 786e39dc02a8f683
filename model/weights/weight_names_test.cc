#include "model/weights/weight_names.h"

#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

TEST(WeightNamesTest, WeightsAreOneOfTheFormats) {
  EXPECT_EQ(*ParseWeights("auto"), std::nullopt);
  EXPECT_EQ(*ParseWeights("float32"), WeightFormat::kF32);
  EXPECT_EQ(*ParseWeights("bf16"), WeightFormat::kBF16);
  EXPECT_EQ(*ParseWeights("int8"), WeightFormat::kInt8);
  EXPECT_EQ(*ParseWeights("int4"), WeightFormat::kInt4);
  EXPECT_EQ(WeightsHelp(),
            "auto (as in the checkpoint), float32, bf16, int8 or int4");
  EXPECT_STREQ(WeightsName(std::nullopt), "auto");
  EXPECT_STREQ(WeightsName(WeightFormat::kBF16), "bf16");
  for (const char* wrong : {"", "int5", "INT8", "f32"}) {
    const absl::Status status = ParseWeights(wrong).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << wrong;
    const std::string message(status.message());
    EXPECT_NE(message.find("--weights"), std::string::npos) << message;
    EXPECT_NE(message.find("auto, float32, bf16, int8 or int4"),
              std::string::npos)
        << message;
  }
}

}  // namespace
}  // namespace apollo
