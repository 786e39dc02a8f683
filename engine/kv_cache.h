#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/aligned_buffer.h"
#include "engine/block_pool.h"
#include "kernels/attention.h"

namespace apollo {

// The paged cache of one stage: for every block, keys and values of kBlockTokens
// tokens in each of the stage's layers, and, in a dense stage, the boundary
// activations of those tokens: the replay log, from which an expert stage can
// recompute everything. Laid out as docs/cache.md says. The memory is reserved at
// construction and taken from the machine as blocks are first written. One thread.
class KvCache {
 public:
  // boundary_size: floats of a token's boundary activation; 0 for none.
  KvCache(const AttentionShape& shape, int layers, int boundary_size,
          int blocks);

  // Bytes of one block.
  static std::size_t BlockBytes(const AttentionShape& shape, int layers,
                                int boundary_size);

  BlockPool& pool() { return pool_; }
  const BlockPool& pool() const { return pool_; }

  float* keys(int layer, BlockId block) {
    return buffer_.as<float>() + block * block_floats_ +
           static_cast<std::size_t>(layer) * 2 * shape_.block_floats();
  }
  float* values(int layer, BlockId block) {
    return keys(layer, block) + shape_.block_floats();
  }
  // [kBlockTokens, boundary_size]
  float* boundary(BlockId block) {
    return buffer_.as<float>() + block * block_floats_ +
           static_cast<std::size_t>(layers_) * 2 * shape_.block_floats();
  }

 private:
  AttentionShape shape_;
  int layers_;
  std::size_t block_floats_;
  AlignedBuffer buffer_;
  BlockPool pool_;
};

// Blocks that `tokens` tokens need.
inline int BlocksFor(std::int64_t tokens) {
  return static_cast<int>((tokens + kBlockTokens - 1) / kBlockTokens);
}

}  // namespace apollo
