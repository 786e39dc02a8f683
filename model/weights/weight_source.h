#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/thread_pool.h"
#include "kernels/packed_matrix.h"

namespace apollo {

// Where a stage gets its weights from: the tensors of a model, by the names
// that they have in its checkpoint, in the formats that kernels use. Immutable;
// a method may be called from any thread. Must outlive what it returned.
class WeightSource {
 public:
  virtual ~WeightSource() = default;

  // Bytes that the tensor takes in the source; 0 if there is none of the name.
  virtual std::int64_t Bytes(std::string_view name) const = 0;

  // The tensors' rows one after the other as one matrix, prepared by all
  // threads of the pool. NOT_FOUND names a tensor that is missing,
  // INVALID_ARGUMENT one with a number that is not finite or too large for its
  // format.
  virtual absl::StatusOr<PackedMatrix> Matrix(
      const std::vector<std::string>& names, ThreadPool& pool) const = 0;
  virtual absl::StatusOr<std::vector<float>> Vector(
      const std::string& name) const = 0;

  // Whether every number of the embedding can be served. Whoever uses Embedding
  // calls it first: of a checkpoint, Matrix and Vector check what they return
  // by themselves. Packed weights were checked when they were packed, and are
  // not read for it again. Errors as theirs.
  virtual absl::Status CheckEmbedding(ThreadPool& /*pool*/) const {
    return absl::OkStatus();
  }

  // Row `token` of the embedding.  // [hidden]
  virtual void Embedding(std::int32_t token, float* row) const = 0;
};

}  // namespace apollo
