#pragma once

#include <cstddef>

#include "model/config/model_config.h"

namespace apollo::cuda {

// The sizes that the memory of an expert stage depends on.
struct SparseSizes {
  int hidden = 0;
  int top_k = 0;
  int experts = 0;
  int layers = 0;  // Sparse layers.
  int inner = 0;   // The width of an expert.
  int head_size = 0;
  // Rows of a step that are computed at a time, and guests that go along with
  // them: a multiple of kRowUnit.
  int piece_rows = 0;

  // Parts of arrays begin at multiples of so many rows, so that they are
  // aligned as the operations demand.
  static constexpr int kRowUnit = 16;

  static SparseSizes Of(const ModelConfig& config, int piece_rows) {
    return {config.hidden_size,
            config.experts_per_token,
            config.num_experts,
            config.num_sparse_layers(),
            config.moe_intermediate_size,
            config.head_size,
            piece_rows};
  }
  // Returns the assignments of a piece and its guests, at most.
  std::size_t piece_assignments() const {
    return static_cast<std::size_t>(piece_rows) * (top_k + 1);
  }
};

// Returns `rows`, rounded up to a multiple of `unit`.
constexpr int RoundUp(int rows, int unit) {
  return (rows + unit - 1) / unit * unit;
}

}  // namespace apollo::cuda
