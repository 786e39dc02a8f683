#include "engine/checkpoint_weights.h"

#include <algorithm>
#include <utility>

#include "common/aligned_buffer.h"
#include "common/check.h"
#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "kernels/half.h"
#include "kernels/quantize.h"
#include "model/safetensors/convert.h"

namespace apollo {
namespace {

constexpr char kEmbedding[] = "model.embed_tokens.weight";

}  // namespace

WeightFormat MatrixFormat(WeightFormat format, std::string_view tensor) {
  const bool head = tensor == kEmbedding || tensor == "lm_head.weight";
  return format == WeightFormat::kInt4 && head ? WeightFormat::kInt8 : format;
}

absl::StatusOr<std::unique_ptr<CheckpointWeights>> CheckpointWeights::Create(
    std::unique_ptr<Checkpoint> checkpoint,
    std::optional<WeightFormat> format) {
  ASSIGN_OR_RETURN(const TensorView* embedding, checkpoint->Get(kEmbedding));
  return std::unique_ptr<CheckpointWeights>(
      new CheckpointWeights(std::move(checkpoint), format, *embedding));
}

std::vector<std::string> CheckpointWeights::names() const {
  return checkpoint_->names();
}

std::int64_t CheckpointWeights::Bytes(std::string_view name) const {
  const TensorView* tensor = checkpoint_->Find(name);
  return tensor == nullptr ? 0 : static_cast<std::int64_t>(tensor->data.size());
}

absl::StatusOr<MatrixShape> CheckpointWeights::Shape(
    const std::vector<std::string>& names) const {
  MatrixShape shape;
  bool all_bf16 = true;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const TensorView* tensor, checkpoint_->Get(name));
    shape.outputs += static_cast<int>(tensor->shape[0]);
    shape.inputs = static_cast<int>(tensor->shape[1]);
    all_bf16 &= tensor->dtype == DType::kBF16;
  }
  const WeightFormat kept = all_bf16 ? WeightFormat::kBF16 : WeightFormat::kF32;
  shape.format = MatrixFormat(format_.value_or(kept), names[0]);
  return shape;
}

absl::StatusOr<PackedMatrix> CheckpointWeights::Matrix(
    const std::vector<std::string>& names, ThreadPool& pool) const {
  ASSIGN_OR_RETURN(const MatrixShape shape, Shape(names));
  std::vector<const TensorView*> tensors;
  std::vector<int> first_rows = {0};
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const TensorView* tensor, checkpoint_->Get(name));
    tensors.push_back(tensor);
    first_rows.push_back(first_rows.back() +
                         static_cast<int>(tensor->shape[0]));
  }
  const int inputs = shape.inputs;
  PackedMatrix matrix(shape.outputs, inputs, shape.format);
  if (matrix.data() == nullptr) {
    return NoMemory(matrix.bytes(), "weights (" + names[0] + ")");
  }
  const int panel = matrix.panel_size();
  // Every type was checked and every row is in range, so that nothing can fail.
  pool.ParallelFor(
      matrix.panels(), 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> row(inputs);
        const int last = std::min<std::int64_t>(end * panel, matrix.outputs());
        for (int r = static_cast<int>(begin) * panel; r < last; ++r) {
          const auto next =
              std::upper_bound(first_rows.begin(), first_rows.end(), r);
          const std::size_t t = next - first_rows.begin() - 1;
          APOLLO_CHECK(
              RowsToFloat32(*tensors[t], r - first_rows[t], 1, row.data())
                  .ok());
          matrix.SetRows(r, 1, row.data());
        }
      });
  for (const TensorView* tensor : tensors) ReleasePages(tensor->data);
  return matrix;
}

absl::StatusOr<std::vector<float>> CheckpointWeights::Vector(
    const std::string& name) const {
  ASSIGN_OR_RETURN(const TensorView* tensor, checkpoint_->Get(name));
  std::vector<float> values(tensor->NumElements());
  RETURN_IF_ERROR(ToFloat32(*tensor, values.data()));
  return values;
}

void CheckpointWeights::Embedding(std::int32_t token, float* row) const {
  APOLLO_CHECK(RowsToFloat32(embedding_, token, 1, row).ok());
  if (!format_) return;
  const int size = static_cast<int>(embedding_.shape[1]);
  const WeightFormat format = MatrixFormat(*format_, kEmbedding);
  if (IsQuantized(format)) {
    RoundRow(row, size, format);
  } else if (format == WeightFormat::kBF16) {
    for (int i = 0; i < size; ++i) {
      row[i] = F32FromBf16Bits(Bf16BitsFromF32(row[i]));
    }
  }
}

}  // namespace apollo
