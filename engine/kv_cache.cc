#include "engine/kv_cache.h"

namespace apollo {

KvCache::KvCache(const AttentionShape& shape, int layers, int boundary_size,
                 int blocks)
    : shape_(shape),
      layers_(layers),
      block_bytes_(BlockBytes(shape, layers, boundary_size)),
      buffer_(block_bytes_ * blocks),
      pool_(blocks) {}

std::size_t KvCache::BlockBytes(const AttentionShape& shape, int layers,
                                int boundary_size) {
  return static_cast<std::size_t>(layers) * 2 * shape.block_bytes() +
         static_cast<std::size_t>(boundary_size) * kBlockTokens * sizeof(float);
}

}  // namespace apollo
