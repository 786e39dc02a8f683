#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/thread_pool.h"
#include "kernels/packed_matrix.h"

namespace apollo {

struct MatrixShape {
  int outputs = 0;
  int inputs = 0;
  WeightFormat format = WeightFormat::kF32;
};

// The numbers of a row of a matrix, as float32 or as the bits of bf16. The
// other pointer is null.
struct RowNumbers {
  const float* f32 = nullptr;
  const std::uint16_t* bf16 = nullptr;
};

// Provides the weights of a model to a stage: tensors by their names in the
// checkpoint (tensor_registry.h), in the formats of the kernels. Immutable,
// therefore thread-safe. Must outlive the matrices that it returns.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  // Returns the size of the tensor in the source, in bytes; 0 if it does not
  // exist.
  virtual std::int64_t Bytes(std::string_view name) const = 0;

  // Matrix returns the stacked rows of the tensors as one matrix, using all
  // threads of the pool. Vector returns a tensor as float32. Errors: NOT_FOUND
  // names a missing tensor; INVALID_ARGUMENT one with a number that is not
  // finite or too large for its format.
  virtual absl::StatusOr<PackedMatrix> Matrix(
      const std::vector<std::string>& names, ThreadPool& pool) const = 0;
  virtual absl::StatusOr<std::vector<float>> Vector(
      const std::string& name) const = 0;

  // Returns the shape and the format of Matrix(names). NOT_FOUND names a
  // missing tensor.
  virtual absl::StatusOr<MatrixShape> Shape(
      const std::vector<std::string>& names) const = 0;

  // Passes rows [first, first + count) of the stacked tensors to `visit`, with
  // their indices, in the precision of the source: for devices that pack
  // matrices themselves, in `format`. The numbers are bf16 if both the source
  // and the format are, else float32, and valid during the call. Calls come
  // from all threads of the pool, in any order. Errors are those of Matrix, and
  // UNIMPLEMENTED if the source holds the matrix only in integers; some rows
  // may have been passed before.
  using RowVisitor = absl::FunctionRef<void(int row, RowNumbers numbers)>;
  virtual absl::Status ReadRows(const std::vector<std::string>& names,
                                int first, int count, WeightFormat format,
                                ThreadPool& pool, RowVisitor visit) const = 0;

  // Checks every number of the embedding, with the errors of Matrix. Call it
  // before Embedding, which cannot return errors. Packed weights were checked
  // when they were packed and are not read again.
  virtual absl::Status CheckEmbedding(ThreadPool& /*pool*/) const {
    return absl::OkStatus();
  }

  // Writes row `token` of the embedding to `row`.  // [hidden]
  virtual void Embedding(std::int32_t token, float* row) const = 0;
};

}  // namespace apollo
