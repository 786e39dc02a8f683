#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/safetensors/checkpoint.h"
#include "model/weights/weight_source.h"

namespace apollo {

// The weights of a checkpoint, converted on request, one matrix at a time.
// Pages of the checkpoint are returned to the system after reading.
class CheckpointWeights final : public WeightSource {
 public:
  // Takes a checkpoint that has passed CheckTensors. Without a format, weights
  // keep the precision of the checkpoint: bf16 tensors stay bf16, f16 and f32
  // become f32. Vectors are always float32.
  static absl::StatusOr<std::unique_ptr<CheckpointWeights>> Create(
      std::unique_ptr<Checkpoint> checkpoint,
      std::optional<WeightFormat> format);

  std::int64_t Bytes(std::string_view name) const override;
  absl::StatusOr<PackedMatrix> Matrix(const std::vector<std::string>& names,
                                      ThreadPool& pool) const override;
  absl::StatusOr<std::vector<float>> Vector(
      const std::string& name) const override;
  absl::StatusOr<MatrixShape> Shape(
      const std::vector<std::string>& names) const override;
  absl::Status ReadRows(const std::vector<std::string>& names, int first,
                        int count, WeightFormat format, ThreadPool& pool,
                        RowVisitor visit) const override;
  absl::Status CheckEmbedding(ThreadPool& pool) const override;
  // Rounds the row to the format, like the rows of the head.
  void Embedding(std::int32_t token, float* row) const override;

 private:
  CheckpointWeights(std::unique_ptr<Checkpoint> checkpoint,
                    std::optional<WeightFormat> format,
                    const TensorView& embedding)
      : checkpoint_(std::move(checkpoint)),
        format_(format),
        embedding_(embedding) {}

  // Returns the format of a matrix whose first tensor is `name`. `bf16`: all of
  // its tensors are bf16.
  WeightFormat FormatOf(std::string_view name, bool bf16) const;

  const std::unique_ptr<Checkpoint> checkpoint_;
  const std::optional<WeightFormat> format_;
  const TensorView& embedding_;  // [vocab, hidden]
};

// Returns the format of a matrix in a model served in `format`. The embedding
// and the head may have their own (WeightFormatInfo::head).
WeightFormat MatrixFormat(WeightFormat format, std::string_view tensor);

}  // namespace apollo
