// Devices read rows of matrices to pack them: the numbers are those of Matrix.
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "common/thread_pool.h"
#include "kernels/quantize.h"
#include "model/weights/open_model.h"
#include "model/weights/packed_weights.h"
#include "model/weights/packed_writer.h"
#include "model/weights/test_weights.h"

namespace apollo {
namespace {

// Rows as ReadRows passed them, and how often.
class Collected {
 public:
  Collected(int first, int count, int inputs)
      : first_(first), inputs_(inputs), seen_(count), rows_(count) {}

  absl::Status Read(const WeightSource& source,
                    const std::vector<std::string>& names, WeightFormat format,
                    ThreadPool& pool) {
    return source.ReadRows(
        names, first_, static_cast<int>(seen_.size()), format, pool,
        [this](int row, RowNumbers numbers) { Add(row, numbers); });
  }

  // Expects each row once, with the numbers of `matrix` once rounded to its
  // format.
  void ExpectRowsOf(const PackedMatrix& matrix) {
    std::vector<float> expected(inputs_);
    for (std::size_t r = 0; r < seen_.size(); ++r) {
      ASSERT_EQ(seen_[r], 1) << "row " << r;
      matrix.GetRow(first_ + static_cast<int>(r), expected.data());
      RoundRow(rows_[r].data(), inputs_, matrix.format());
      ASSERT_EQ(rows_[r], expected) << "row " << r;
    }
  }
  int bf16_rows() const { return bf16_rows_; }

 private:
  void Add(int row, RowNumbers numbers) {
    const MutexLock lock(mutex_);
    const std::size_t r = static_cast<std::size_t>(row - first_);
    ASSERT_LT(r, seen_.size());
    ++seen_[r];
    ASSERT_NE(numbers.f32 == nullptr, numbers.bf16 == nullptr);
    bf16_rows_ += numbers.bf16 != nullptr;
    for (int i = 0; i < inputs_; ++i) {
      rows_[r].push_back(
          numbers.f32 != nullptr
              ? numbers.f32[i]
              : std::bit_cast<float>(std::uint32_t{numbers.bf16[i]} << 16));
    }
  }

  const int first_, inputs_;
  Mutex mutex_;
  std::vector<int> seen_;
  std::vector<std::vector<float>> rows_;
  int bf16_rows_ = 0;
};

// Compares parts and the whole of every matrix of a model.
void ExpectRowsOfMatrices(const OpenModel& model, WeightFormat format) {
  ThreadPool pool(2, ThreadPool::Split::kAlways);
  const WeightSource& source = *model.weights;
  for (const auto& names : StackedMatrices(AllTensors(model.config))) {
    SCOPED_TRACE(names[0]);
    const auto matrix = source.Matrix(names, pool);
    const auto shape = source.Shape(names);
    ASSERT_TRUE(matrix.ok() && shape.ok()) << matrix.status();
    EXPECT_EQ(shape->outputs, matrix->outputs());
    EXPECT_EQ(shape->inputs, matrix->inputs());
    EXPECT_EQ(shape->format, matrix->format());
    ASSERT_EQ(shape->format, format);
    const int rows = shape->outputs;
    for (const auto& [first, count] : std::vector<std::pair<int, int>>{
             {0, rows}, {rows / 3, rows / 2}, {rows - 1, 1}, {rows, 0}}) {
      Collected collected(first, count, shape->inputs);
      const absl::Status status = collected.Read(source, names, format, pool);
      ASSERT_TRUE(status.ok()) << status;
      collected.ExpectRowsOf(*matrix);
    }
  }
}

TEST(ReadRowsTest, RowsOfACheckpointAreThoseOfItsMatrices) {
  for (const char* name : {"published", "shared_expert_f16", "sharded_f32"}) {
    SCOPED_TRACE(name);
    for (const WeightFormat format :
         {WeightFormat::kF32, WeightFormat::kBF16, WeightFormat::kInt8}) {
      const auto model =
          OpenModelDirectory(std::string("tests/golden/") + name, format);
      ASSERT_TRUE(model.ok()) << model.status();
      ExpectRowsOfMatrices(*model, format);
    }
  }
}

TEST(ReadRowsTest, Bf16RowsOfACheckpointAreNotConverted) {
  const auto model = OpenModelDirectory("tests/golden/published");
  ASSERT_TRUE(model.ok()) << model.status();
  ThreadPool pool(1);
  const std::vector<std::string> names = {"model.layers.0.mlp.gate_proj.weight",
                                          "model.layers.0.mlp.up_proj.weight"};
  const auto shape = model->weights->Shape(names);
  ASSERT_TRUE(shape.ok()) << shape.status();
  for (const auto& [format, bf16_rows] :
       std::vector<std::pair<WeightFormat, int>>{
           {WeightFormat::kBF16, shape->outputs}, {WeightFormat::kInt8, 0}}) {
    Collected collected(0, shape->outputs, shape->inputs);
    ASSERT_TRUE(collected.Read(*model->weights, names, format, pool).ok());
    EXPECT_EQ(collected.bf16_rows(), bf16_rows);
  }
}

// Creates a directory with the packed weights of a checkpoint.
std::string Packed(WeightFormat format) {
  namespace fs = std::filesystem;
  const fs::path from = "tests/golden/published";
  const fs::path to = fs::path(testing::TempDir()) /
                      (std::string("read_rows_") + InfoOf(format).name);
  fs::remove_all(to);
  fs::create_directories(to);
  fs::copy_file(from / "config.json", to / "config.json");
  ThreadPool pool(1);
  const absl::Status status =
      PackModel(from, format, to / kPackedFile, pool, nullptr);
  EXPECT_TRUE(status.ok()) << status;
  return to;
}

TEST(ReadRowsTest, PackedIntegersAreRefused) {
  ThreadPool pool(1);
  const std::vector<std::string> names = {
      "model.layers.0.self_attn.o_proj.weight"};
  for (const WeightFormat format : {WeightFormat::kF32, WeightFormat::kBF16,
                                    WeightFormat::kInt8, WeightFormat::kInt4}) {
    SCOPED_TRACE(InfoOf(format).name);
    const auto model = OpenModelDirectory(Packed(format));
    ASSERT_TRUE(model.ok()) << model.status();
    if (!IsQuantized(format)) {
      ExpectRowsOfMatrices(*model, format);
      continue;
    }
    Collected collected(0, 1, 32);
    const absl::Status status =
        collected.Read(*model->weights, names, format, pool);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
    EXPECT_NE(
        status.message().find(std::string("o_proj.weight\" is packed as ") +
                              InfoOf(format).name),
        std::string::npos)
        << status;
  }
}

TEST(ReadRowsTest, MissingTensorsAreNamed) {
  const auto model = OpenModelDirectory("tests/golden/published");
  ASSERT_TRUE(model.ok()) << model.status();
  ThreadPool pool(1);
  Collected collected(0, 1, 32);
  EXPECT_EQ(collected.Read(*model->weights, {"none"}, WeightFormat::kBF16, pool)
                .code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(model->weights->Shape({"none"}).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace apollo
