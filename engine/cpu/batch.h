#pragma once

#include <vector>

#include "engine/cpu/kv_cache.h"
#include "engine/weights.h"
#include "kernels/attention.h"
#include "kernels/rope.h"

namespace apollo {

// Consecutive rows of one sequence in a step.
struct BatchSlice {
  // Must hold blocks for positions 0..first_position + rows - 1, and must
  // outlive the step.
  const BlockTable* blocks = nullptr;
  int first_position = 0;
  int rows = 0;
};

// The rows of one step through a stage: the position and cache slot of each
// row, and the rotary angles, which all layers share. Slices are contiguous:
// row r of the batch is row r - (rows of the preceding slices) of its slice.
class Batch {
 public:
  Batch(std::vector<BatchSlice> slices, const Rope& rope, int head_size);

  int rows() const { return static_cast<int>(positions_.size()); }
  const std::vector<BatchSlice>& slices() const { return slices_; }
  int position(int row) const { return positions_[row]; }
  const float* angles(int row) const { return &angles_[row * head_size_]; }

 private:
  std::vector<BatchSlice> slices_;
  int head_size_;
  std::vector<int> positions_;  // [rows]
  std::vector<float> angles_;   // [rows, head_size]
};

// Scratch memory for the operations of a layer, reused from step to step.
struct Workspace {
  std::vector<float> normed;   // [rows, hidden]
  std::vector<float> qkv;      // [rows, q_size + 2 kv_size]
  std::vector<float> mixed;    // [rows, q_size]
  std::vector<float> gate_up;  // [rows, 2 * inner]
  std::vector<float> active;   // [rows, inner]

  // Returns `buffer` grown to at least `size` floats; it never shrinks.
  static float* Room(std::vector<float>& buffer, std::size_t size) {
    if (buffer.size() < size) buffer.resize(size);
    return buffer.data();
  }
};

// The first half of a layer, common to dense and sparse layers:
//   hidden += output(attention(norm(hidden)))
// hidden: [batch.rows(), config.hidden_size]. Appends the keys and values of
// the batch to layer `cache_layer` of `cache`. Called by one thread, which
// `pool` assists.
void RunAttention(const ModelConfig& config, const AttentionWeights& weights,
                  const Rope& rope, const Batch& batch, int cache_layer,
                  KvCache& cache, float* hidden, Workspace& workspace,
                  ThreadPool& pool);

// out = mlp(x). x, out: [rows, hidden]; they must not overlap.
void RunMlp(const MlpWeights& weights, const float* x, int rows, float* out,
            Workspace& workspace, ThreadPool& pool);

// hidden += x. Both are [rows, size].
void AddRows(const float* x, int rows, int size, float* hidden,
             ThreadPool& pool);

}  // namespace apollo
