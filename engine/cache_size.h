#pragma once

#include <absl/status/statusor.h>

#include <cstdint>

#include "engine/block_pool.h"
#include "kernels/attention.h"

namespace apollo {

// How large a stage's cache is, and what it stores.
struct CacheOptions {
  std::int64_t bytes = 0;  // The bound.
  CacheType type = CacheType::kFloat32;
  bool prefault = false;  // Take all of the memory at the start.
};

// Blocks that `tokens` tokens need.
inline int BlocksFor(std::int64_t tokens) {
  return static_cast<int>((tokens + kBlockTokens - 1) / kBlockTokens);
}

// Tokens that all blocks together hold.
inline std::int64_t CacheTokens(const BlockPool& blocks) {
  return static_cast<std::int64_t>(blocks.total()) * kBlockTokens;
}

// How many blocks of block_bytes fit into cache_bytes. RESOURCE_EXHAUSTED,
// naming both, if not even one.
absl::StatusOr<int> BlocksInBytes(std::int64_t cache_bytes,
                                  std::int64_t block_bytes);

}  // namespace apollo
