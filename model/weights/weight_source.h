#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/thread_pool.h"
#include "kernels/packed_matrix.h"

namespace apollo {

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
