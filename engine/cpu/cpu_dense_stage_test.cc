// A stage refuses weights that their source cannot serve.

#include "engine/cpu/cpu_dense_stage.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/thread_pool.h"
#include "model/weights/open_model.h"

namespace apollo {
namespace {

// Wraps another source, with an embedding that cannot be served.
class BadEmbedding final : public WeightSource {
 public:
  explicit BadEmbedding(const WeightSource& rest) : rest_(rest) {}

  std::int64_t Bytes(std::string_view name) const override {
    return rest_.Bytes(name);
  }
  absl::StatusOr<PackedMatrix> Matrix(const std::vector<std::string>& names,
                                      ThreadPool& pool) const override {
    return rest_.Matrix(names, pool);
  }
  absl::StatusOr<std::vector<float>> Vector(
      const std::string& name) const override {
    return rest_.Vector(name);
  }
  absl::StatusOr<MatrixShape> Shape(
      const std::vector<std::string>& names) const override {
    return rest_.Shape(names);
  }
  absl::Status ReadRows(const std::vector<std::string>& names, int first,
                        int count, WeightFormat format, ThreadPool& pool,
                        RowVisitor visit) const override {
    return rest_.ReadRows(names, first, count, format, pool, visit);
  }
  absl::Status CheckEmbedding(ThreadPool& /*pool*/) const override {
    return absl::InvalidArgumentError("row 7 holds nan");
  }
  void Embedding(std::int32_t token, float* row) const override {
    rest_.Embedding(token, row);
  }

 private:
  const WeightSource& rest_;
};

TEST(CpuDenseStageTest, ADenseStageChecksTheEmbedding) {
  // The stage reads rows of the embedding later, when it could no longer return
  // an error.
  const auto model = OpenModelDirectory("tests/golden/published");
  ASSERT_TRUE(model.ok()) << model.status();
  ThreadPool pool(1);
  const auto load = [&](const WeightSource& source) {
    return CpuDenseStage::Load(model->config, source, {1 << 20}, pool, nullptr)
        .status();
  };
  EXPECT_TRUE(load(*model->weights).ok());
  EXPECT_EQ(load(BadEmbedding(*model->weights)).message(), "row 7 holds nan");
}

}  // namespace
}  // namespace apollo
