#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <vector>

#include "common/thread_pool.h"
#include "engine/cache_size.h"
#include "engine/cuda/device_batch.h"
#include "engine/cuda/device_cache.h"
#include "engine/cuda/device_weights.h"
#include "engine/cuda/layer_attention.h"
#include "engine/cuda/stage_device.h"
#include "engine/dense_stage.h"
#include "model/config/model_config.h"
#include "model/weights/load_progress.h"
#include "model/weights/weight_source.h"

namespace apollo {

// A dense stage on an NVIDIA GPU. Boundary rows are bf16 in its memory. Forward
// only enqueues work; steps complete in order, by events that the stage posts.
class CudaDenseStage final : public DenseStage {
 public:
  // Loads the weights, in the format of the source. The source and the pool are
  // used only during the call. Errors: those of OpenDevice
  // (kernels/cuda/device.h); INVALID_ARGUMENT for weights or a cache type that
  // GPUs cannot use; RESOURCE_EXHAUSTED, with all sizes, if weights, cache and
  // scratch memory exceed the free memory, or if the cache cannot hold one
  // block; those of the source.
  static absl::StatusOr<std::unique_ptr<CudaDenseStage>> Load(
      const ModelConfig& config, const WeightSource& source,
      const CacheOptions& cache, ThreadPool& pool, StageDeviceOptions device,
      const LoadProgress& progress);
  ~CudaDenseStage() override;

  void SetPost(PostEvent post) override;
  BlockPool& blocks() override;
  // The rows of a step must not exceed StageDeviceOptions::max_rows.
  void Forward(DenseStep step, Done done) override;
  const ModelConfig& config() const override { return config_; }

 private:
  explicit CudaDenseStage(const ModelConfig& config) : config_(config) {}

  const ModelConfig config_;
};

}  // namespace apollo
