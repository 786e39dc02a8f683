#include "engine/kv_cache.h"

namespace apollo {
namespace {

std::size_t BlockFloats(const AttentionShape& shape, int layers,
                        int boundary_size) {
  return static_cast<std::size_t>(layers) * 2 * shape.block_floats() +
         static_cast<std::size_t>(boundary_size) * kBlockTokens;
}

}  // namespace

KvCache::KvCache(const AttentionShape& shape, int layers, int boundary_size,
                 int blocks)
    : shape_(shape),
      layers_(layers),
      block_floats_(BlockFloats(shape, layers, boundary_size)),
      buffer_(block_floats_ * sizeof(float) * blocks),
      pool_(blocks) {}

std::size_t KvCache::BlockBytes(const AttentionShape& shape, int layers,
                                int boundary_size) {
  return BlockFloats(shape, layers, boundary_size) * sizeof(float);
}

}  // namespace apollo
