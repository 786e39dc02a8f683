#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "common/thread_pool.h"
#include "engine/cpu/batch.h"
#include "engine/cpu/kv_cache.h"
#include "engine/dense_stage.h"
#include "engine/weights.h"
#include "kernels/rope.h"
#include "model/config/model_config.h"

namespace apollo {

// A dense stage on the CPU. Forward completes each step before it returns.
class CpuDenseStage final : public DenseStage {
 public:
  // Loads the weights. The source and the pool must outlive the stage, which
  // reads embeddings from the source as needed. Returns RESOURCE_EXHAUSTED if
  // the cache cannot hold one block.
  static absl::StatusOr<std::unique_ptr<CpuDenseStage>> Load(
      const ModelConfig& config, const WeightSource& source,
      const CacheOptions& cache, ThreadPool& pool,
      const LoadProgress& progress);

  // Returns the bytes of weights that Load reads.
  static std::int64_t WeightBytes(const ModelConfig& config,
                                  const WeightSource& source);

  BlockPool& blocks() override { return cache_->pool(); }
  void Forward(DenseStep step, Done done) override;
  const ModelConfig& config() const override { return config_; }

 private:
  CpuDenseStage(const ModelConfig& config, const WeightSource& source,
                ThreadPool& pool);
  // Runs rows through all layers and writes their boundary activations to the
  // replay log.
  void Compute(std::vector<BatchSlice> slices,
               const std::vector<std::int32_t>& tokens);
  // Returns the boundary activation of a position.  // [hidden]
  float* LogRow(const BlockTable& blocks, int position);

  const ModelConfig config_;
  const WeightSource& source_;  // For embeddings.
  ThreadPool& pool_;
  const Rope rope_;
  std::vector<DenseLayerWeights> layers_;
  std::unique_ptr<KvCache> cache_;
  // Scratch memory, reused from step to step.
  std::vector<float> hidden_, normed_, mlp_;  // [rows, hidden]
  Workspace workspace_;
};

}  // namespace apollo
