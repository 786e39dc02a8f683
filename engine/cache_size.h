#pragma once

#include <absl/status/statusor.h>

#include <cstdint>

#include "engine/block_pool.h"
#include "kernels/attention.h"

namespace apollo {

// The size of a stage's cache and the type of its keys and values.
struct CacheOptions {
  std::int64_t bytes = 0;  // Upper bound.
  CacheType type = CacheType::kFloat32;
  bool prefault = false;  // Allocate all physical memory at start.
};

// Returns the number of blocks that `tokens` tokens need.
inline int BlocksFor(std::int64_t tokens) {
  return static_cast<int>((tokens + kBlockTokens - 1) / kBlockTokens);
}

// Returns the capacity of all blocks together, in tokens.
inline std::int64_t CacheTokens(const BlockPool& blocks) {
  return static_cast<std::int64_t>(blocks.total()) * kBlockTokens;
}

// Returns the part of it that sequences use.
inline std::int64_t UsedCacheTokens(const BlockPool& blocks) {
  return static_cast<std::int64_t>(blocks.total() - blocks.available()) *
         kBlockTokens;
}

// Returns the number of blocks of block_bytes that fit into cache_bytes.
// Returns RESOURCE_EXHAUSTED, naming both, if not even one fits.
absl::StatusOr<int> BlocksInBytes(std::int64_t cache_bytes,
                                  std::int64_t block_bytes);

}  // namespace apollo
