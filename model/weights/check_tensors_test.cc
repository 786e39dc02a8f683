#include "model/weights/check_tensors.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "common/mapped_file.h"
#include "model/weights/test_models.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;

class CheckTensorsTest : public WrittenTest {
 protected:
  void ExpectRefused(const ModelConfig& config, absl::StatusCode code,
                     const std::vector<std::string>& words) {
    const absl::Status status = CheckTensors(config, Write());
    EXPECT_EQ(status.code(), code);
    EXPECT_THAT(std::string(status.message()), HasSubstr(directory_));
    for (const std::string& word : words) {
      EXPECT_THAT(std::string(status.message()), HasSubstr(word));
    }
  }
};

TEST_F(CheckTensorsTest, TakesWhatIsComplete) {
  EXPECT_EQ(CheckTensors(Tiny(), Write()), absl::OkStatus());
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    for (TensorSpec& spec : specs_) spec.dtype = dtype;
    EXPECT_EQ(CheckTensors(Tiny(), Write()), absl::OkStatus());
  }
}

TEST_F(CheckTensorsTest, IgnoresTensorsBesidesTheExpectedOnes) {
  specs_.push_back({"more", DType::kF32, {1}});
  EXPECT_EQ(CheckTensors(Tiny(), Write()), absl::OkStatus());
}

TEST_F(CheckTensorsTest, NamesEveryMissingTensor) {
  const std::vector<TensorSpec> all = specs_;
  for (const TensorSpec& missing : all) {
    specs_ = all;
    std::erase_if(specs_,
                  [&](const auto& s) { return s.name == missing.name; });
    ExpectRefused(Tiny(), absl::StatusCode::kNotFound, {missing.name});
  }
}

TEST_F(CheckTensorsTest, NamesEveryWrongShape) {
  const std::vector<TensorSpec> all = specs_;
  for (std::size_t i = 0; i < all.size(); ++i) {
    specs_ = all;
    specs_[i].shape.back() += 1;
    ExpectRefused(Tiny(), absl::StatusCode::kInvalidArgument,
                  {"model.safetensors", all[i].name, "shape"});
  }
}

TEST_F(CheckTensorsTest, NamesBothShapes) {
  Spec("model.layers.1.mlp.experts.1.up_proj.weight").shape = {4, 5};
  ExpectRefused(Tiny(), absl::StatusCode::kInvalidArgument,
                {"experts.1.up_proj", "[4, 5]", "[5, 4]"});
}

TEST_F(CheckTensorsTest, RefusesAnotherRank) {
  Spec("model.norm.weight").shape = {1, 4};
  ExpectRefused(Tiny(), absl::StatusCode::kInvalidArgument,
                {"model.norm.weight"});
}

TEST_F(CheckTensorsTest, RefusesATypeThatCannotBeRead) {
  // The writer cannot write I32: replaces "F32" by "I32", which has the same
  // size.
  Write();
  const std::string path = directory_ + "/model.safetensors";
  auto bytes = ReadFile(path, 1 << 20);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const std::size_t name = bytes->find("\"model.norm.weight\"");
  const std::size_t type = bytes->find("\"F32\"", name);
  ASSERT_NE(type, std::string::npos);
  bytes->replace(type, 5, "\"I32\"");
  std::ofstream(path, std::ios::binary) << *bytes;
  const auto checkpoint = Checkpoint::Open(directory_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const absl::Status status = CheckTensors(Tiny(), *checkpoint);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const char* word : {path.c_str(), "model.norm.weight", "I32", "BF16"}) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(word));
  }
}

TEST_F(CheckTensorsTest, SharedExpertsAreAsWideAsTheFirstOfTheirTensors) {
  ModelConfig config = Tiny();
  config.shared_expert = true;
  Declare(config);
  EXPECT_EQ(CheckTensors(config, Write()), absl::OkStatus());
  const std::string down = "model.layers.1.mlp.shared_expert.down_proj.weight";
  Spec(down).shape = {4, 8};
  ExpectRefused(config, absl::StatusCode::kInvalidArgument,
                {down, "[4, 8]", "[4, 7]"});
  Declare(config);
  Spec("model.layers.1.mlp.shared_expert.gate_proj.weight").shape = {0, 4};
  ExpectRefused(config, absl::StatusCode::kInvalidArgument,
                {"shared_expert.gate_proj", "[0, 4]"});
}

}  // namespace
}  // namespace apollo
