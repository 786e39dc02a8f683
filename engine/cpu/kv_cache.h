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

// The paged cache of one stage. Each block holds the keys and values of
// kBlockTokens tokens for each layer of the stage. In a dense stage it also
// holds the boundary activations of those tokens: the replay log, from which an
// expert stage can recompute everything. docs/cache.md describes the layout.
//
// The address space is reserved at construction; physical memory is allocated
// when a block is first written. Keys and values are stored in the shape's
// cache_type. Single-threaded.
class KvCache {
 public:
  // boundary_size: floats per boundary activation; 0 for none.
  KvCache(const AttentionShape& shape, int layers, int boundary_size,
          int blocks);

  const AttentionShape& shape() const { return shape_; }

  // Returns RESOURCE_EXHAUSTED if the memory could not be reserved; the cache
  // must not be used then.
  absl::Status status() const {
    return buffer_.status().ok() ? absl::OkStatus()
                                 : NoMemory(block_bytes_ * pool_.total(),
                                            "the cache (--cache_megabytes)");
  }

  // Allocates all physical memory now, so that the first use of a block neither
  // takes extra time nor runs out of memory. Returns CANCELLED if the process
  // is asked to stop meanwhile (StopRequested).
  absl::Status Prefault(ThreadPool& pool);

  // Returns the size of a block in bytes.
  static std::size_t BlockBytes(const AttentionShape& shape, int layers,
                                int boundary_size);

  BlockPool& pool() { return pool_; }
  const BlockPool& pool() const { return pool_; }
  // Stored in the shape's cache_type.
  void* keys(int layer, BlockId block) { return at(block, 2 * layer); }
  void* values(int layer, BlockId block) { return at(block, 2 * layer + 1); }
  // [kBlockTokens, boundary_size], always float32: replayed rows must equal the
  // computed ones bit by bit.
  float* boundary(BlockId block) {
    return static_cast<float*>(at(block, 2 * layers_));
  }

 private:
  // Returns the part of a block that follows `parts` key or value parts.
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
