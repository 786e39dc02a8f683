#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>

#include "engine/block_pool.h"
#include "engine/cache_size.h"
#include "kernels/cuda/cache.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/types.h"
#include "model/config/model_config.h"

namespace apollo::cuda {

// Returns the shape of the model's heads.
HeadShape HeadShapeOf(const ModelConfig& config);

// The paged cache of one stage in the memory of a device: keys and values of
// kBlockTokens tokens per block and layer, in bf16, and in a dense stage also
// the boundary activations of those tokens, rounded to bf16: the replay log.
// Uninitialized. The host allocates the blocks (single-threaded); only kernels
// use the content.
class DeviceCache {
 public:
  // The largest number of blocks that options.bytes allow, and their size.
  struct Size {
    int blocks = 0;
    std::size_t bytes = 0;
  };

  // Returns INVALID_ARGUMENT unless the type is bf16; RESOURCE_EXHAUSTED if
  // options.bytes cannot hold one block. `layers`: of the stage. `log`: the
  // blocks hold boundary activations.
  static absl::StatusOr<Size> SizeFor(const ModelConfig& config, int layers,
                                      bool log, const CacheOptions& options);

  // Allocates the memory on the current device.
  static absl::StatusOr<std::unique_ptr<DeviceCache>> Create(
      const ModelConfig& config, int layers, bool log, Size size);

  BlockPool& pool() { return pool_; }
  const BlockPool& pool() const { return pool_; }
  // Keys and values of layer `index` of the stage, from 0.
  CacheLayer layer(int index) const;
  // The log: the row of a position has the index of its slot, that is
  // block * kBlockTokens + position % kBlockTokens.
  // [blocks * kBlockTokens, hidden]
  Bf16* log() const { return log_; }

 private:
  DeviceCache(HeadShape shape, int layers, int blocks, DeviceBuffer memory);

  const HeadShape shape_;
  const int layers_;
  const DeviceBuffer memory_;
  Bf16* log_ = nullptr;
  BlockPool pool_;
};

}  // namespace apollo::cuda
