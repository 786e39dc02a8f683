#include "model/weights/checkpoint_weights.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <span>
#include <utility>

#include "common/aligned_buffer.h"
#include "common/check.h"
#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/quantize.h"
#include "model/safetensors/convert.h"
#include "model/weights/tensor_registry.h"

namespace apollo {
namespace {

bool AllWithin(std::span<const float> values, float most) {
  bool within = true;
  for (const float x : values) within &= std::abs(x) <= most;  // False for NaN.
  return within;
}

// Returns an error about the first of `values` that is not within `most`.
// `what` names the part of the tensor that they belong to.
absl::Status Outside(const TensorView& tensor, std::string_view what,
                     std::span<const float> values, float most) {
  const float value = *std::find_if(values.begin(), values.end(), [&](float x) {
    return !(std::abs(x) <= most);
  });
  if (!std::isfinite(value)) {
    return absl::InvalidArgumentError(
        absl::StrCat(tensor.Where(), ": ", ToAbsl(what), " holds ", value,
                     "; every weight must be a finite number"));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      tensor.Where(), ": ", ToAbsl(what), " holds ", value,
      ", which is too large for these --weights; the maximum is ", most));
}

void Lower(std::atomic<std::int64_t>& least, std::int64_t value) {
  std::int64_t now = least;
  while (value < now && !least.compare_exchange_weak(now, value)) {
  }
}

// Returns the error about a row that is not within `most`.
absl::Status RowOutside(const TensorView& tensor, std::int64_t row,
                        float most) {
  std::vector<float> values(tensor.shape[1]);
  APOLLO_CHECK(RowsToFloat32(tensor, row, 1, values.data()).ok());
  return Outside(tensor, absl::StrCat("row ", row), values, most);
}

}  // namespace

WeightFormat MatrixFormat(WeightFormat format, std::string_view tensor) {
  return HasRowForEachToken(tensor) ? InfoOf(format).head : format;
}

absl::StatusOr<std::unique_ptr<CheckpointWeights>> CheckpointWeights::Create(
    std::unique_ptr<Checkpoint> checkpoint,
    std::optional<WeightFormat> format) {
  ASSIGN_OR_RETURN(const TensorView* embedding,
                   checkpoint->Get(kEmbeddingTensor));
  return std::unique_ptr<CheckpointWeights>(
      new CheckpointWeights(std::move(checkpoint), format, *embedding));
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
  shape.format = FormatOf(names[0], all_bf16);
  return shape;
}

WeightFormat CheckpointWeights::FormatOf(std::string_view name,
                                         bool bf16) const {
  const WeightFormat kept = bf16 ? WeightFormat::kBF16 : WeightFormat::kF32;
  return MatrixFormat(format_.value_or(kept), name);
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
  const float most = LargestWeight(shape.format);
  std::atomic<std::int64_t> outside = shape.outputs;  // The first such row.
  const auto tensor_of = [&](std::int64_t r) {
    return std::upper_bound(first_rows.begin(), first_rows.end(), r) -
           first_rows.begin() - 1;
  };
  // All types have been checked and all rows are in range, so nothing can fail.
  pool.ParallelFor(
      matrix.panels(), 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> row(inputs);
        const int last = std::min<std::int64_t>(end * panel, matrix.outputs());
        for (int r = static_cast<int>(begin) * panel; r < last; ++r) {
          const auto t = tensor_of(r);
          APOLLO_CHECK(
              RowsToFloat32(*tensors[t], r - first_rows[t], 1, row.data())
                  .ok());
          if (!AllWithin(row, most)) Lower(outside, r);
          matrix.SetRows(r, 1, row.data());
        }
      });
  if (outside < shape.outputs) {
    const auto t = tensor_of(outside);
    return RowOutside(*tensors[t], outside - first_rows[t], most);
  }
  for (const TensorView* tensor : tensors) ReleasePages(tensor->data);
  return matrix;
}

absl::StatusOr<std::vector<float>> CheckpointWeights::Vector(
    const std::string& name) const {
  ASSIGN_OR_RETURN(const TensorView* tensor, checkpoint_->Get(name));
  std::vector<float> values(tensor->NumElements());
  RETURN_IF_ERROR(ToFloat32(*tensor, values.data()));
  const float most = LargestWeight(WeightFormat::kF32);
  if (!AllWithin(values, most)) return Outside(*tensor, "it", values, most);
  return values;
}

absl::Status CheckpointWeights::CheckEmbedding(ThreadPool& pool) const {
  const std::int64_t rows = embedding_.shape[0];
  const auto size = static_cast<std::size_t>(embedding_.shape[1]);
  const float most = LargestWeight(
      FormatOf(kEmbeddingTensor, embedding_.dtype == DType::kBF16));
  std::atomic<std::int64_t> outside = rows;
  pool.ParallelFor(rows, 64, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> row(size);
    for (std::int64_t r = begin; r < end; ++r) {
      APOLLO_CHECK(RowsToFloat32(embedding_, r, 1, row.data()).ok());
      if (!AllWithin(row, most)) Lower(outside, r);
    }
  });
  if (outside < rows) return RowOutside(embedding_, outside, most);
  ReleasePages(embedding_.data);
  return absl::OkStatus();
}

void CheckpointWeights::Embedding(std::int32_t token, float* row) const {
  APOLLO_CHECK(RowsToFloat32(embedding_, token, 1, row).ok());
  if (!format_) return;
  const int size = static_cast<int>(embedding_.shape[1]);
  RoundRow(row, size, MatrixFormat(*format_, kEmbeddingTensor));
}

}  // namespace apollo
