#include "model/weights/open_model.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace apollo {
namespace {

namespace fs = std::filesystem;

// Changes a number in the middle of the file, far from the start of its tensor.
TEST(OpenModelTest, OneOtherWeightIsAnotherModel) {
  const std::string golden = "tests/golden/published";
  const std::string directory = testing::TempDir() + "/one_other_weight";
  fs::remove_all(directory);
  fs::create_directories(directory);
  for (const char* name : {"config.json", "model.safetensors"}) {
    fs::copy_file(golden + "/" + name, directory + "/" + name);
    fs::permissions(directory + "/" + name, fs::perms::owner_all);
  }
  const std::string hash = OpenModelDirectory(golden)->hash;
  EXPECT_EQ(OpenModelDirectory(directory)->hash, hash);
  std::fstream file(directory + "/model.safetensors",
                    std::ios::binary | std::ios::in | std::ios::out);
  const auto middle = static_cast<std::streamoff>(
      fs::file_size(directory + "/model.safetensors") / 2);
  file.seekg(middle);
  const char before = static_cast<char>(file.get());
  file.seekp(middle);
  file.put(static_cast<char>(before ^ 1));
  file.close();
  const auto other = OpenModelDirectory(directory);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_NE(other->hash, hash);
  EXPECT_EQ(OpenModelDirectory(directory, WeightFormat::kInt8)->hash,
            other->hash + "+int8");
}

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
