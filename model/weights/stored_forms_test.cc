// Tensors as newer tools store them give the weights of the older form.
#include "model/weights/stored_forms.h"

#include <gmock/gmock.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/thread_pool.h"
#include "model/safetensors/writer.h"
#include "model/weights/open_model.h"
#include "model/weights/test_models.h"
#include "model/weights/test_weights.h"
#include "model/weights/weight_source.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;

constexpr char kGateUp[] = "model.layers.1.mlp.experts.gate_up_proj";
constexpr char kDown[] = "model.layers.1.mlp.experts.down_proj";

// Layer 1 of Tiny() has two experts, 5 wide, and 4 hidden numbers.
class StoredFormsTest : public WrittenTest {
 protected:
  void Erase(std::string_view part) {
    std::erase_if(specs_, [part](const TensorSpec& spec) {
      return spec.name.find(part) != std::string::npos;
    });
  }

  // Writes the checkpoint with different numbers everywhere.
  Checkpoint WriteDifferent() {
    auto writer =
        SafetensorsWriter::Create(directory_ + "/model.safetensors", specs_);
    EXPECT_TRUE(writer.ok()) << writer.status();
    float number = 0;
    for (const TensorSpec& spec : specs_) {
      std::size_t count = 1;
      for (const std::int64_t n : spec.shape) count *= n;
      std::vector<float> values(count);
      for (float& value : values) value = ++number;
      EXPECT_TRUE(writer->AppendFloats(spec.name, values).ok());
    }
    EXPECT_TRUE(writer->Finish().ok());
    auto checkpoint = Checkpoint::Open(directory_);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
    return *std::move(checkpoint);
  }

  void ExpectRefused(const std::vector<std::string>& words) {
    Checkpoint checkpoint = Write();
    const absl::Status status = UnifyTensors(Tiny(), checkpoint);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    for (const std::string& word : words) {
      EXPECT_THAT(std::string(status.message()), HasSubstr(word));
    }
  }
};

TEST_F(StoredFormsTest, FusedExpertsAreViewsOfEachExpertsMatrices) {
  Erase(".experts.");
  specs_.push_back({kGateUp, DType::kF32, {2, 10, 4}});
  specs_.push_back({kDown, DType::kF32, {2, 4, 5}});
  Checkpoint checkpoint = WriteDifferent();
  const TensorView gate_up = *checkpoint.Find(kGateUp);
  const TensorView down = *checkpoint.Find(kDown);
  ASSERT_EQ(UnifyTensors(Tiny(), checkpoint), absl::OkStatus());
  const struct {
    const char* name;
    const TensorView& whole;
    std::size_t first;  // Number of the whole tensor.
    Shape shape;
  } kParts[] = {
      {"0.gate_proj", gate_up, 0, {5, 4}},  {"0.up_proj", gate_up, 20, {5, 4}},
      {"1.gate_proj", gate_up, 40, {5, 4}}, {"1.up_proj", gate_up, 60, {5, 4}},
      {"0.down_proj", down, 0, {4, 5}},     {"1.down_proj", down, 20, {4, 5}}};
  for (const auto& part : kParts) {
    const TensorView* view = checkpoint.Find(
        std::string("model.layers.1.mlp.experts.") + part.name + ".weight");
    ASSERT_NE(view, nullptr) << part.name;
    EXPECT_EQ(view->shape, part.shape) << part.name;
    EXPECT_EQ(view->dtype, DType::kF32);
    EXPECT_EQ(view->data.data(), part.whole.data.data() + 4 * part.first);
    EXPECT_EQ(view->data.size(), 80u);
  }
  EXPECT_EQ(checkpoint.Find(kGateUp), nullptr);
  EXPECT_THAT(
      checkpoint.Find("model.layers.1.mlp.experts.1.up_proj.weight")->Where(),
      HasSubstr("gate_up_proj (up_proj of expert 1)\""));
}

TEST_F(StoredFormsTest, EitherTensorMayBeFused) {
  Erase(".experts.0.down_proj");
  Erase(".experts.1.down_proj");
  specs_.push_back({kDown, DType::kF32, {2, 4, 5}});
  Checkpoint checkpoint = Write();
  EXPECT_EQ(UnifyTensors(Tiny(), checkpoint), absl::OkStatus());
  for (const TensorInfo& tensor : AllTensors(Tiny())) {
    EXPECT_NE(checkpoint.Find(tensor.name), nullptr) << tensor.name;
  }
}

TEST_F(StoredFormsTest, RefusesOtherShapesAndTypes) {
  // Transposed, as other architectures have it; another number of experts;
  // another width; without experts.
  for (const Shape& shape : {Shape{2, 4, 10}, Shape{3, 10, 4}, Shape{2, 12, 4},
                             Shape{20, 4}, Shape{}}) {
    Declare(Tiny());
    Erase(".experts.");
    specs_.push_back({kGateUp, DType::kF32, shape});
    ExpectRefused({directory_ + "/model.safetensors", kGateUp,
                   "shape is " + ShapeToString(shape),
                   "the config requires [2, 10, 4]"});
  }
}

TEST_F(StoredFormsTest, RefusesBothFormsInOneLayer) {
  specs_.push_back({kDown, DType::kF32, {2, 4, 5}});
  ExpectRefused(
      {"experts.0.down_proj.weight\" is beside \"" + std::string(kDown),
       "must be in one form"});
}

TEST_F(StoredFormsTest, TiedEmbeddingsMayHaveTheNameOfTheHead) {
  Spec(kEmbeddingTensor).name = kHeadTensor;
  Checkpoint checkpoint = Write();
  const std::uint8_t* const data = checkpoint.Find(kHeadTensor)->data.data();
  ASSERT_EQ(UnifyTensors(Tiny(), checkpoint), absl::OkStatus());
  ASSERT_NE(checkpoint.Find(kEmbeddingTensor), nullptr);
  EXPECT_EQ(checkpoint.Find(kEmbeddingTensor)->data.data(), data);
  EXPECT_EQ(checkpoint.Find(kHeadTensor), nullptr);
  // A head that is not tied is not an embedding.
  ModelConfig config = Tiny();
  config.tie_word_embeddings = false;
  Checkpoint other = Write();
  ASSERT_EQ(UnifyTensors(config, other), absl::OkStatus());
  EXPECT_EQ(other.Find(kEmbeddingTensor), nullptr);
}

// Returns the numbers of a matrix as a device gets them.
std::vector<float> RowsOf(const OpenModel& model,
                          const std::vector<std::string>& names) {
  ThreadPool pool(1);
  const auto shape = model.weights->Shape(names);
  EXPECT_TRUE(shape.ok()) << shape.status();
  std::vector<float> rows(static_cast<std::size_t>(shape->outputs) *
                          shape->inputs);
  const absl::Status status = model.weights->ReadRows(
      names, 0, shape->outputs, WeightFormat::kInt8, pool,
      [&](int row, RowNumbers numbers) {
        std::memcpy(rows.data() + static_cast<std::size_t>(row) * shape->inputs,
                    numbers.f32, sizeof(float) * shape->inputs);
      });
  EXPECT_TRUE(status.ok()) << status;
  return rows;
}

// tests/golden/resaved is tests/golden/published, re-saved by transformers 5:
// fused experts in two files, a newer config.json and a generation_config.json.
TEST(ResavedTest, HasTheWeightsOfTheOriginal) {
  for (const auto format : AllFormats()) {
    const auto original = OpenModelDirectory("tests/golden/published", format);
    const auto resaved = OpenModelDirectory("tests/golden/resaved", format);
    ASSERT_TRUE(original.ok()) << original.status();
    ASSERT_TRUE(resaved.ok()) << resaved.status();
    EXPECT_TRUE(resaved->warnings.empty()) << resaved->warnings.front();
    EXPECT_EQ(ReadWeights(*resaved).value(), ReadWeights(*original).value());
    for (const auto& names : StackedMatrices(AllTensors(original->config))) {
      EXPECT_EQ(RowsOf(*resaved, names), RowsOf(*original, names)) << names[0];
    }
  }
}

TEST(ResavedTest, OnlyItsEndsMakeItAnotherModel) {
  const auto original = OpenModelDirectory("tests/golden/published");
  auto resaved = OpenModelDirectory("tests/golden/resaved");
  ASSERT_TRUE(original.ok() && resaved.ok());
  EXPECT_EQ(original->config.eos_tokens, std::vector<std::int32_t>{256});
  EXPECT_EQ(resaved->config.eos_tokens, (std::vector<std::int32_t>{256, 259}));
  EXPECT_NE(resaved->hash, original->hash);
  // Without them, workers of both could link.
  const std::string directory = testing::TempDir() + "/resaved";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  for (const auto& file :
       std::filesystem::directory_iterator("tests/golden/resaved")) {
    if (file.path().filename() == "generation_config.json") continue;
    std::filesystem::copy_file(
        file.path(), directory + "/" + file.path().filename().string());
  }
  EXPECT_EQ(OpenModelDirectory(directory)->hash, original->hash);
}

}  // namespace
}  // namespace apollo
