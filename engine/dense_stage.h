#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/thread_pool.h"
#include "engine/batch.h"
#include "engine/kv_cache.h"
#include "engine/weights.h"
#include "kernels/rope.h"
#include "model/config/model_config.h"

namespace apollo {

// The layers all languages share: the embedding and layers [0, boundary), with
// their cache. Knows nothing of languages or other workers. One thread.
class DenseStage {
 public:
  // Loads the weights. The source and the pool must outlive the stage:
  // embeddings are read from it as needed. RESOURCE_EXHAUSTED if the cache does
  // not hold one block.
  static absl::StatusOr<std::unique_ptr<DenseStage>> Load(
      const ModelConfig& config, const WeightSource& source,
      const CacheOptions& cache, ThreadPool& pool,
      const LoadProgress& progress);

  // Bytes of weights that Load reads.
  static std::int64_t WeightBytes(const ModelConfig& config,
                                  const WeightSource& source);

  // Runs one step: tokens [sum of rows], each below vocab_size, through all
  // layers. Returns the boundary activations [rows, hidden], which are also
  // stored in the blocks, valid until the next call.
  std::span<const float> Forward(std::vector<BatchSlice> slices,
                                 std::span<const std::int32_t> tokens);

  KvCache& cache() { return *cache_; }
  const ModelConfig& config() const { return config_; }

 private:
  DenseStage(const ModelConfig& config, const WeightSource& source,
             ThreadPool& pool);

  const ModelConfig config_;
  const WeightSource& source_;  // Of embeddings.
  ThreadPool& pool_;
  const Rope rope_;
  std::vector<DenseLayerWeights> layers_;
  std::unique_ptr<KvCache> cache_;
  std::vector<float> hidden_;        // [rows, hidden] of the last step.
  std::vector<float> normed_, mlp_;  // [rows, hidden]
  Workspace workspace_;
};

}  // namespace apollo
