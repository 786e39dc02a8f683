#include "engine/cuda/matrix_stager.h"

#include <string>
#include <vector>

#include "engine/cuda/random_model.h"
#include "kernels/cuda/testing.h"
#include "model/weights/open_model.h"
#include "model/weights/tensor_registry.h"

namespace apollo::cuda {
namespace {

class MatrixStagerTest : public GpuTest {
 protected:
  // Packs a matrix in pieces of this many bytes, and expects the numbers that
  // the source has in the format of the shape.
  void ExpectPacked(const WeightSource& source,
                    const std::vector<std::string>& names, bool paired,
                    std::size_t stage_bytes) {
    const PackedMatrix matrix = *source.Matrix(names, pool_);
    const PackedShape shape = {matrix.outputs(), matrix.inputs(),
                               matrix.format(), paired};
    const Device<std::uint8_t> packed(PackedBytes(shape));
    {
      MatrixStager stager(source, pool_, nullptr, stage_bytes);
      ExpectOk(stager.Pack(names, shape, packed.get()));
    }
    const std::vector<std::uint8_t> bytes = packed.Read();
    std::vector<float> row(matrix.inputs()), expected(matrix.inputs());
    for (int r = 0; r < matrix.outputs(); ++r) {
      matrix.GetRow(r, expected.data());
      UnpackRow(shape, bytes.data(), r, row.data());
      ASSERT_EQ(row, expected) << "row " << r;
    }
    // The padding is defined, too.
    std::vector<std::uint8_t> whole(bytes.size(), 0xff);
    ClearPadding(shape, whole.data());
    for (int r = 0; r < matrix.outputs(); ++r) {
      matrix.GetRow(r, row.data());
      PackRows(shape, r, 1, row.data(), whole.data());
    }
    EXPECT_TRUE(bytes == whole);
  }

  ThreadPool pool_{2, ThreadPool::Split::kAlways};
};

// One tile at a time, some, and all.
constexpr std::size_t kStageBytes[] = {1, 9000, 1 << 20};

TEST_F(MatrixStagerTest, MatricesHaveTheNumbersOfTheirSource) {
  const ModelConfig config = RandomModelConfig();
  const RandomWeights source(config);
  for (const std::size_t bytes : kStageBytes) {
    SCOPED_TRACE(bytes);
    ExpectPacked(source, NamesOf(AttentionTensors(config, 0), WeightKind::kQkv),
                 false, bytes);
    ExpectPacked(source,
                 NamesOf(MlpTensors(config, 0, kNoExpert), WeightKind::kGateUp),
                 true, bytes);
    // The last tile is not full.
    ExpectPacked(source, NamesOf(HeadTensors(config), WeightKind::kHead), false,
                 bytes);
  }
}

TEST_F(MatrixStagerTest, IntegersAreRoundedOnceFromTheCheckpoint) {
  for (const WeightFormat format : {WeightFormat::kInt8, WeightFormat::kInt4}) {
    SCOPED_TRACE(InfoOf(format).name);
    const auto model = OpenModelDirectory("tests/golden/published", format);
    ASSERT_TRUE(model.ok()) << model.status();
    const std::vector<TensorInfo> mlp = MlpTensors(model->config, 0, kNoExpert);
    const std::vector<TensorInfo> attention =
        AttentionTensors(model->config, 0);
    for (const std::size_t bytes : kStageBytes) {
      SCOPED_TRACE(bytes);
      ExpectPacked(*model->weights, NamesOf(mlp, WeightKind::kGateUp), true,
                   bytes);
      ExpectPacked(*model->weights,
                   NamesOf(attention, WeightKind::kAttentionOutput), false,
                   bytes);
    }
  }
}

TEST_F(MatrixStagerTest, AnEmbeddingIsCopiedAsBf16) {
  const std::string name = kEmbeddingTensor;
  for (const char* const checkpoint : {"published", "sharded_f32"}) {
    SCOPED_TRACE(checkpoint);
    // Even where the other weights are integers.
    const std::string directory = std::string("tests/golden/") + checkpoint;
    const auto model = OpenModelDirectory(directory, WeightFormat::kInt4);
    const auto bf16 = OpenModelDirectory(directory, WeightFormat::kBF16);
    ASSERT_TRUE(model.ok() && bf16.ok()) << model.status();
    const int vocab = model->config.vocab_size;
    const int hidden = model->config.hidden_size;
    for (const std::size_t bytes : kStageBytes) {
      const Device<Bf16> table(static_cast<std::size_t>(vocab) * hidden);
      {
        MatrixStager stager(*model->weights, pool_, nullptr, bytes);
        ExpectOk(stager.CopyBf16(name, vocab, hidden, table.get()));
      }
      const std::vector<float> actual = Widened(table.Read());
      std::vector<float> expected(actual.size());
      for (int t = 0; t < vocab; ++t) {
        bf16->weights->Embedding(t, &expected[t * hidden]);
      }
      EXPECT_TRUE(actual == expected) << bytes;
    }
  }
}

TEST_F(MatrixStagerTest, ErrorsOfTheSourceAreReturned) {
  const RandomWeights source(RandomModelConfig());
  MatrixStager stager(source, pool_, nullptr);
  const PackedShape shape = {16, 32, WeightFormat::kBF16, false};
  const Device<std::uint8_t> to(PackedBytes(shape));
  EXPECT_EQ(stager.Pack({"none"}, shape, to.get()).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(stager.CopyBf16("none", 16, 32, to.get()).code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace apollo::cuda
