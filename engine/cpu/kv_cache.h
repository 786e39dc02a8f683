#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/aligned_buffer.h"
#include "common/thread_pool.h"
#include "engine/block_pool.h"
#include "engine/cache_size.h"
#include "kernels/attention.h"

namespace apollo {

// The paged cache of one stage: for every block, keys and values of
// kBlockTokens tokens in each of the stage's layers, and, in a dense stage, the
// boundary activations of those tokens: the replay log, from which an expert
// stage can recompute everything. Laid out as docs/cache.md says. The memory is
// reserved at construction and taken from the machine as blocks are first
// written. Keys and values are stored in the shape's cache_type. One thread.
class KvCache {
 public:
  // boundary_size: floats of a token's boundary activation; 0 for none.
  KvCache(const AttentionShape& shape, int layers, int boundary_size,
          int blocks);

  const AttentionShape& shape() const { return shape_; }

  // RESOURCE_EXHAUSTED if the memory could not be reserved: not to be used
  // then.
  absl::Status status() const {
    return buffer_.status().ok() ? absl::OkStatus()
                                 : NoMemory(block_bytes_ * pool_.total(),
                                            "the cache (--cache_megabytes)");
  }

  // Takes all of the memory from the machine now, so that blocks that are used
  // for the first time cost no time later, nor can memory run out then.
  void Prefault(ThreadPool& pool);

  // Bytes of one block.
  static std::size_t BlockBytes(const AttentionShape& shape, int layers,
                                int boundary_size);

  BlockPool& pool() { return pool_; }
  const BlockPool& pool() const { return pool_; }
  // In the shape's cache_type.
  void* keys(int layer, BlockId block) { return at(block, 2 * layer); }
  void* values(int layer, BlockId block) { return at(block, 2 * layer + 1); }
  // [kBlockTokens, boundary_size], always float32: what is replayed must be
  // what was computed.
  float* boundary(BlockId block) {
    return static_cast<float*>(at(block, 2 * layers_));
  }

 private:
  // The part behind so many keys' and values' parts of a block.
  void* at(BlockId block, int parts) {
    return buffer_.as<std::byte>() + block * block_bytes_ +
           parts * shape_.block_bytes();
  }

  AttentionShape shape_;
  int layers_;
  std::size_t block_bytes_;
  AlignedBuffer buffer_;
  BlockPool pool_;
};

}  // namespace apollo
