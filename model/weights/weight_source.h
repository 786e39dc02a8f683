#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/thread_pool.h"
#include "kernels/packed_matrix.h"

namespace apollo {

// Gives a stage its weights: the tensors of a model, by the names that they
// have in its checkpoint (tensor_registry.h), in the formats that kernels use.
// Immutable, so safe from any thread. Must outlive the matrices it returned.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  // Returns the bytes that the tensor takes in the source; 0 if there is none
  // of that name.
  virtual std::int64_t Bytes(std::string_view name) const = 0;

  // Returns the rows of the tensors, one after the other, as one matrix;
  // Vector, a tensor as float32. All threads of the pool work on it. NOT_FOUND
  // names a tensor that is missing, INVALID_ARGUMENT one with a number that is
  // not finite or too large for its format.
  virtual absl::StatusOr<PackedMatrix> Matrix(
      const std::vector<std::string>& names, ThreadPool& pool) const = 0;
  virtual absl::StatusOr<std::vector<float>> Vector(
      const std::string& name) const = 0;

  // Checks every number of the embedding; errors as Matrix's. Call it before
  // Embedding, which cannot return one. Packed weights were checked when they
  // were packed, and are not read again.
  virtual absl::Status CheckEmbedding(ThreadPool& /*pool*/) const {
    return absl::OkStatus();
  }

  // Writes row `token` of the embedding to `row`.  // [hidden]
  virtual void Embedding(std::int32_t token, float* row) const = 0;
};

}  // namespace apollo
