#include "model/language/fasttext_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

#include "common/mapped_file.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string& Model() {
  static const std::string* const bytes = [] {
    auto read = ReadFile("model/language/classifier.ftz", 4 << 20);
    return new std::string(read.ok() ? *std::move(read) : "");
  }();
  return *bytes;
}

TEST(CheckFastTextFileTest, AcceptsOurs) {
  const absl::StatusOr<FastTextShape> shape =
      CheckFastTextFile(Model(), "m.ftz");
  ASSERT_TRUE(shape.ok()) << shape.status();
  EXPECT_GE(shape->labels, 50);
  EXPECT_TRUE(shape->quantised_input);
  EXPECT_FALSE(shape->quantised_output);
  EXPECT_LE(Model().size(), std::size_t{2} << 20)
      << "too large for the repository";
}

TEST(CheckFastTextFileTest, RefusesEveryTruncation) {
  const std::string& model = Model();
  ASSERT_GT(model.size(), 10'000u);
  // Every length within the header and the dictionary, and many beyond.
  for (std::size_t size = 0; size < model.size();
       size += size < 4'000 ? 1 : 9'973) {
    const absl::Status status =
        CheckFastTextFile(std::string_view(model).substr(0, size), "m.ftz")
            .status();
    ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << size;
    ASSERT_THAT(std::string(status.message()), StartsWith("m.ftz: "));
  }
  EXPECT_FALSE(CheckFastTextFile(
                   std::string_view(model).substr(0, model.size() - 1), "m.ftz")
                   .ok());
}

TEST(CheckFastTextFileTest, RefusesMoreThanAModel) {
  const absl::Status status =
      CheckFastTextFile(Model() + "x", "m.ftz").status();
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("1 bytes after its end"));
}

// Returns our model with one of its first numbers changed: magic, version, dim,
// ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn.
std::string WithNumber(int index, int32_t value) {
  std::string model = Model();
  std::memcpy(model.data() + 4 * index, &value, 4);
  return model;
}

TEST(CheckFastTextFileTest, RefusesNumbersThatLie) {
  EXPECT_FALSE(CheckFastTextFile(WithNumber(0, 1), "m").ok());
  EXPECT_FALSE(CheckFastTextFile(WithNumber(1, 13), "m").ok());
  for (const int32_t dim : {0, -1, 17, 0x7fffffff}) {
    EXPECT_FALSE(CheckFastTextFile(WithNumber(2, dim), "m").ok()) << dim;
  }
  EXPECT_THAT(
      std::string(CheckFastTextFile(WithNumber(9, 1), "m").status().message()),
      HasSubstr("word vectors"));
  for (const int32_t bucket : {0, -5, 1, 0x7fffffff}) {
    EXPECT_FALSE(CheckFastTextFile(WithNumber(10, bucket), "m").ok()) << bucket;
  }
  EXPECT_FALSE(CheckFastTextFile(WithNumber(12, 0x7fffffff), "m").ok());
}

// Our model's last matrix is not quantised, so its last four bytes are a
// weight.
TEST(CheckFastTextFileTest, RefusesWeightsThatAreNoNumbers) {
  for (const float weight : {std::numeric_limits<float>::quiet_NaN(),
                             std::numeric_limits<float>::infinity(), -3e38f}) {
    std::string model = Model();
    std::memcpy(model.data() + model.size() - 4, &weight, 4);
    EXPECT_THAT(std::string(CheckFastTextFile(model, "m").status().message()),
                HasSubstr("output matrix"));
  }
}

TEST(CheckFastTextFileTest, RefusesCountsThatMakeADeepTree) {
  std::string model = WithNumber(8, 1);  // Hierarchical softmax.
  EXPECT_TRUE(CheckFastTextFile(model, "m").ok());
  // The first label; its count follows its name.
  const std::size_t label = model.find("__label__");
  const std::size_t count = model.find('\0', label) + 1;
  for (const std::int64_t bad :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 60}) {
    std::memcpy(model.data() + count, &bad, 8);
    EXPECT_THAT(std::string(CheckFastTextFile(model, "m").status().message()),
                HasSubstr("a label's count is"));
  }
}

TEST(CheckFastTextFileTest, OtherFiles) {
  EXPECT_THAT(std::string(CheckFastTextFile("", "m").status().message()),
              HasSubstr("wrong magic number"));
  EXPECT_FALSE(CheckFastTextFile(std::string(5000, '\0'), "m").ok());
  EXPECT_FALSE(CheckFastTextFile("{\"model\": 1}", "m").ok());
}

}  // namespace
}  // namespace apollo
