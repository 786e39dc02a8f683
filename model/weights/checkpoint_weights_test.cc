// Loading rejects weights that no worker can serve, and names them.

#include "model/weights/checkpoint_weights.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "common/thread_pool.h"
#include "model/safetensors/reader.h"
#include "model/weights/open_model.h"
#include "model/weights/packed_writer.h"
#include "model/weights/test_weights.h"

namespace apollo {
namespace {

namespace fs = std::filesystem;

constexpr std::uint16_t kBf16NaN = 0x7fc0, kBf16Infinity = 0x7f80,
                        kBf16MinusInfinity = 0xff80;

// Copies a golden checkpoint with one number changed.
template <typename Number>
std::string Spoiled(const std::string& name, const std::string& file,
                    const std::string& tensor, std::size_t at, Number number) {
  const std::string directory = testing::TempDir() + "/checkpoint_weights";
  fs::remove_all(directory);
  fs::create_directories(directory);
  for (const auto& entry : fs::directory_iterator("tests/golden/" + name)) {
    fs::copy_file(entry.path(), directory / fs::path(entry.path().filename()));
  }
  const std::string path = directory + "/" + file;
  fs::permissions(path, fs::perms::owner_all);
  const auto opened = SafetensorsFile::Open(path);
  EXPECT_TRUE(opened.ok()) << opened.status();
  const TensorView* view = opened->Find(tensor);
  if (view == nullptr) {
    ADD_FAILURE() << path << " has no " << tensor;
    return directory;
  }
  std::ptrdiff_t end = 0;  // Distance from the tensor to the end of the file.
  for (const auto& [unused, other] : opened->tensors()) {
    end = std::max<std::ptrdiff_t>(
        end, other.data.data() + other.data.size() - view->data.data());
  }
  std::fstream bytes(path, std::ios::binary | std::ios::in | std::ios::out);
  bytes.seekp(static_cast<std::streamoff>(fs::file_size(path)) - end +
              static_cast<std::streamoff>(at * sizeof(number)));
  bytes.write(reinterpret_cast<const char*>(&number), sizeof(number));
  EXPECT_TRUE(bytes.good());
  return directory;
}

absl::Status Load(const std::string& directory,
                  std::optional<WeightFormat> format) {
  const auto model = OpenModelDirectory(directory, format);
  if (!model.ok()) return model.status();
  return ReadWeights(*model).status();
}

void ExpectRefused(const absl::Status& status,
                   const std::vector<std::string>& words) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  for (const std::string& word : words) {
    EXPECT_NE(std::string(status.message()).find(word), std::string::npos)
        << status << " without " << word;
  }
}

TEST(CheckpointWeightsTest, NumbersThatAreNotFiniteAreRefusedByTensor) {
  const std::string file = "model.safetensors";
  struct Case {
    const char* tensor;
    std::size_t at;
    std::uint16_t number;
    const char* says;
  };
  // Matrices of 32 inputs, single and stacked; vectors.
  for (const Case& c : std::vector<Case>{
           {"model.embed_tokens.weight", 32 * 200 + 1, kBf16NaN,
            "row 200 holds nan"},
           {"model.layers.0.self_attn.k_proj.weight", 32 * 3, kBf16Infinity,
            "row 3 holds inf"},
           {"model.layers.1.mlp.down_proj.weight", 39, kBf16MinusInfinity,
            "row 0 holds -inf"},
           {"model.layers.0.self_attn.q_proj.bias", 2, kBf16NaN,
            "it holds nan"},
           {"model.layers.1.input_layernorm.weight", 31, kBf16Infinity,
            "it holds inf"},
           {"model.layers.3.mlp.experts.6.up_proj.weight", 32 * 40 - 1,
            kBf16NaN, "row 39 holds nan"},
           {"model.layers.2.mlp.gate.weight", 0, kBf16NaN, "it holds nan"},
           {"model.norm.weight", 7, kBf16NaN, "it holds nan"}}) {
    const std::string directory =
        Spoiled("published", file, c.tensor, c.at, c.number);
    for (const std::optional<WeightFormat> format : AllFormats()) {
      ExpectRefused(Load(directory, format),
                    {file, absl::StrCat("\"", c.tensor, "\": ", c.says),
                     "must be a finite number"});
    }
    ThreadPool pool(1);
    const std::string packed = directory + "/packed";
    ExpectRefused(
        PackModel(directory, WeightFormat::kInt8, packed, pool, nullptr),
        {c.tensor, c.says});
    EXPECT_FALSE(fs::exists(packed));
  }
}

TEST(CheckpointWeightsTest, TheEmbeddingIsCheckedByItself) {
  // A dense worker never makes a matrix of it.
  const std::string directory =
      Spoiled("published", "model.safetensors", kEmbeddingTensor, 5, kBf16NaN);
  const auto model = OpenModelDirectory(directory);
  ASSERT_TRUE(model.ok()) << model.status();
  ThreadPool pool(1);
  ExpectRefused(model->weights->CheckEmbedding(pool),
                {"\"model.embed_tokens.weight\": row 0 holds nan"});
}

TEST(CheckpointWeightsTest, RowsAreCheckedLikeMatrices) {
  const std::string name = "model.layers.1.mlp.down_proj.weight";
  const auto model = OpenModelDirectory(
      Spoiled("published", "model.safetensors", name, 39, kBf16MinusInfinity));
  ASSERT_TRUE(model.ok()) << model.status();
  ThreadPool pool(2, ThreadPool::Split::kAlways);
  const auto read = [&](int first, int count, WeightFormat format) {
    return model->weights->ReadRows({name}, first, count, format, pool,
                                    [](int, RowNumbers) {});
  };
  for (const WeightFormat format : {WeightFormat::kBF16, WeightFormat::kInt8}) {
    ExpectRefused(read(0, 32, format),
                  {absl::StrCat("\"", name, "\": row 0 holds -inf")});
    EXPECT_TRUE(read(1, 31, format).ok());
  }
}

TEST(CheckpointWeightsTest, RowsTooLargeForAFormatAreRefusedInIt) {
  const std::string name = "model.layers.0.mlp.gate_proj.weight";
  const auto model = OpenModelDirectory(Spoiled(
      "sharded_f32", "model-00001-of-00002.safetensors", name, 3, 9e6f));
  ASSERT_TRUE(model.ok()) << model.status();
  ThreadPool pool(1);
  const auto read = [&](WeightFormat format) {
    return model->weights->ReadRows({name}, 0, 1, format, pool,
                                    [](int, RowNumbers) {});
  };
  EXPECT_TRUE(read(WeightFormat::kBF16).ok());
  ExpectRefused(read(WeightFormat::kInt8), {name, "row 0 holds 9e+06"});
}

TEST(CheckpointWeightsTest, NumbersTooLargeForAFormatAreRefusedInIt) {
  const std::string file = "model-00001-of-00002.safetensors";
  const std::string name = "model.layers.0.mlp.gate_proj.weight";
  const auto load = [&](float number, std::optional<WeightFormat> format) {
    return Load(Spoiled("sharded_f32", file, name, 3, number), format);
  };
  EXPECT_TRUE(load(-3.4e38f, std::nullopt).ok());
  EXPECT_TRUE(load(-3.4e38f, WeightFormat::kF32).ok());
  ExpectRefused(load(-3.4e38f, WeightFormat::kBF16),
                {name, "row 0 holds -3.4e+38", "the maximum is 3.38953e+38"});
  EXPECT_TRUE(load(3.3e38f, WeightFormat::kBF16).ok());
  EXPECT_TRUE(load(8e6f, WeightFormat::kInt8).ok());
  ExpectRefused(load(9e6f, WeightFormat::kInt8),
                {name, "row 0 holds 9e+06", "the maximum is 8.31901e+06"});
  EXPECT_TRUE(load(-65504, WeightFormat::kInt4).ok());
  ExpectRefused(load(-65600, WeightFormat::kInt4),
                {name, "row 0 holds -65600", "the maximum is 65504"});
}

}  // namespace
}  // namespace apollo
