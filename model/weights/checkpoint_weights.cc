#include "model/weights/checkpoint_weights.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "common/aligned_buffer.h"
#include "common/check.h"
#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "common/stop_request.h"
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

// The rows of stacked tensors.
class Stack {
 public:
  struct Row {
    const TensorView& tensor;
    std::int64_t row;
  };

  // The tensors must be matrices with the same number of columns.
  static absl::StatusOr<Stack> Of(const Checkpoint& checkpoint,
                                  const std::vector<std::string>& names) {
    Stack stack;
    for (const std::string& name : names) {
      ASSIGN_OR_RETURN(const TensorView* tensor, checkpoint.Get(name));
      stack.tensors_.push_back(tensor);
      stack.first_rows_.push_back(stack.rows() + tensor->shape[0]);
    }
    return stack;
  }

  std::int64_t rows() const { return first_rows_.back(); }
  int inputs() const { return static_cast<int>(tensors_[0]->shape[1]); }
  Row at(std::int64_t r) const {
    const auto t = std::upper_bound(first_rows_.begin(), first_rows_.end(), r) -
                   first_rows_.begin() - 1;
    return {*tensors_[t], r - first_rows_[t]};
  }

  // Returns the pages of rows [first, end) to the system.
  void Release(std::int64_t first, std::int64_t end) const {
    for (std::size_t t = 0; t < tensors_.size(); ++t) {
      const std::int64_t from = std::max(first, first_rows_[t]);
      const std::int64_t to = std::min(end, first_rows_[t + 1]);
      if (from >= to) continue;
      const std::size_t row_bytes =
          tensors_[t]->data.size() /
          static_cast<std::size_t>(tensors_[t]->shape[0]);
      ReleasePages(tensors_[t]->data.subspan(
          static_cast<std::size_t>(from - first_rows_[t]) * row_bytes,
          static_cast<std::size_t>(to - from) * row_bytes));
    }
  }

 private:
  std::vector<const TensorView*> tensors_;
  std::vector<std::int64_t> first_rows_ = {0};  // Of each tensor; then the end.
};

// Room for the numbers of one row.
struct RowBuffer {
  explicit RowBuffer(int inputs) : f32(inputs), bf16(inputs) {}
  std::vector<float> f32;
  std::vector<std::uint16_t> bf16;
};

// Returns a row, which may be copied to `buffer`.
RowNumbers ReadRow(const Stack::Row& row, WeightFormat format,
                   RowBuffer& buffer) {
  if (format != WeightFormat::kBF16 || row.tensor.dtype != DType::kBF16) {
    APOLLO_CHECK(RowsToFloat32(row.tensor, row.row, 1, buffer.f32.data()).ok());
    return {buffer.f32.data(), nullptr};
  }
  const std::size_t bytes = 2 * buffer.bf16.size();
  const std::uint8_t* const data =
      row.tensor.data.data() + static_cast<std::size_t>(row.row) * bytes;
  if (reinterpret_cast<std::uintptr_t>(data) % 2 == 0) {
    return {nullptr, reinterpret_cast<const std::uint16_t*>(data)};
  }
  std::memcpy(buffer.bf16.data(), data, bytes);
  return {nullptr, buffer.bf16.data()};
}

bool AllFinite(std::span<const std::uint16_t> bf16) {
  constexpr std::uint16_t kExponent = 0x7f80;
  bool finite = true;
  for (const std::uint16_t bits : bf16) {
    finite &= (bits & kExponent) != kExponent;
  }
  return finite;
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
  ASSIGN_OR_RETURN(const Stack stack, Stack::Of(*checkpoint_, names));
  const int inputs = shape.inputs;
  PackedMatrix matrix(shape.outputs, inputs, shape.format);
  if (matrix.data() == nullptr) {
    return NoMemory(matrix.bytes(), "weights (" + names[0] + ")");
  }
  const int panel = matrix.panel_size();
  const float most = LargestWeight(shape.format);
  std::atomic<std::int64_t> outside = shape.outputs;  // The first such row.
  // All types have been checked and all rows are in range, so nothing can fail.
  pool.ParallelFor(
      matrix.panels(), 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> row(inputs);
        const int last = std::min<std::int64_t>(end * panel, matrix.outputs());
        for (int r = static_cast<int>(begin) * panel; r < last; ++r) {
          const Stack::Row at = stack.at(r);
          APOLLO_CHECK(RowsToFloat32(at.tensor, at.row, 1, row.data()).ok());
          if (!AllWithin(row, most)) Lower(outside, r);
          matrix.SetRows(r, 1, row.data());
        }
      });
  if (outside < shape.outputs) {
    const Stack::Row at = stack.at(outside);
    return RowOutside(at.tensor, at.row, most);
  }
  stack.Release(0, stack.rows());
  return matrix;
}

absl::Status CheckpointWeights::ReadRows(const std::vector<std::string>& names,
                                         int first, int count,
                                         WeightFormat format, ThreadPool& pool,
                                         RowVisitor visit) const {
  ASSIGN_OR_RETURN(const Stack stack, Stack::Of(*checkpoint_, names));
  const std::int64_t last = std::int64_t{first} + count;
  APOLLO_CHECK(first >= 0 && count >= 0 && last <= stack.rows());
  const float most = LargestWeight(format);
  std::atomic<std::int64_t> outside = last;  // The first such row.
  pool.ParallelFor(count, 8, [&](std::int64_t begin, std::int64_t end) {
    RowBuffer buffer(stack.inputs());
    for (std::int64_t r = first + begin; r < first + end; ++r) {
      const RowNumbers numbers = ReadRow(stack.at(r), format, buffer);
      const bool within = numbers.f32 != nullptr
                              ? AllWithin(buffer.f32, most)
                              : AllFinite({numbers.bf16, buffer.bf16.size()});
      if (!within) Lower(outside, r);
      visit(static_cast<int>(r), numbers);
    }
  });
  if (outside < last) {
    const Stack::Row at = stack.at(outside);
    return RowOutside(at.tensor, at.row, most);
  }
  stack.Release(first, last);
  return absl::OkStatus();
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
    if (StopRequested()) return;
    std::vector<float> row(size);
    for (std::int64_t r = begin; r < end; ++r) {
      APOLLO_CHECK(RowsToFloat32(embedding_, r, 1, row.data()).ok());
      if (!AllWithin(row, most)) Lower(outside, r);
    }
  });
  if (StopRequested()) {
    return absl::CancelledError("stopped while the embedding was checked");
  }
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
