#include "engine/cuda/device_cache.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "common/status_macros.h"
#include "kernels/attention.h"
#include "kernels/cuda/cache_index.h"

namespace apollo::cuda {
namespace {

static_assert(kBlockTokens == kCacheTokens);
// Slots are 32-bit numbers.
constexpr int kMostBlocks =
    std::numeric_limits<std::int32_t>::max() / kCacheTokens;

std::size_t LogNumbers(const ModelConfig& config) {
  return static_cast<std::size_t>(kBlockTokens) *
         static_cast<std::size_t>(config.hidden_size);
}

// Returns the numbers of a block's keys and values in all layers.
std::size_t KeyValueNumbers(const HeadShape& shape, int layers) {
  return 2 * shape.block_numbers() * static_cast<std::size_t>(layers);
}

}  // namespace

HeadShape HeadShapeOf(const ModelConfig& config) {
  return {config.num_heads, config.num_kv_heads, config.head_size};
}

absl::StatusOr<DeviceCache::Size> DeviceCache::SizeFor(
    const ModelConfig& config, int layers, bool log,
    const CacheOptions& options) {
  if (options.type != CacheType::kBf16) {
    return absl::InvalidArgumentError(
        "GPUs hold keys and values in bf16 only; use --cache_dtype=bf16");
  }
  const std::size_t block_bytes =
      sizeof(Bf16) * (KeyValueNumbers(HeadShapeOf(config), layers) +
                      (log ? LogNumbers(config) : 0));
  ASSIGN_OR_RETURN(
      const int blocks,
      BlocksInBytes(options.bytes, static_cast<std::int64_t>(block_bytes)));
  Size size;
  size.blocks = std::min(blocks, kMostBlocks);
  size.bytes = block_bytes * static_cast<std::size_t>(size.blocks);
  return size;
}

absl::StatusOr<std::unique_ptr<DeviceCache>> DeviceCache::Create(
    const ModelConfig& config, int layers, bool log, Size size) {
  ASSIGN_OR_RETURN(DeviceBuffer memory,
                   AllocateDevice(size.bytes, "the cache"));
  std::unique_ptr<DeviceCache> cache(new DeviceCache(
      HeadShapeOf(config), layers, size.blocks, std::move(memory)));
  if (log) cache->log_ = cache->layer(layers).keys;  // After the last layer.
  return cache;
}

DeviceCache::DeviceCache(HeadShape shape, int layers, int blocks,
                         DeviceBuffer memory)
    : shape_(shape),
      layers_(layers),
      memory_(std::move(memory)),
      pool_(blocks) {}

CacheLayer DeviceCache::layer(int index) const {
  // Layer by layer: the attention of a layer then reads fewer pages.
  CacheLayer layer;
  layer.stride = 2 * shape_.block_numbers();
  layer.keys = memory_.as<Bf16>() +
               static_cast<std::size_t>(index) *
                   static_cast<std::size_t>(pool_.total()) * layer.stride;
  layer.values = layer.keys + shape_.block_numbers();
  return layer;
}

}  // namespace apollo::cuda
