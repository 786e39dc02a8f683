#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/rows.h"
#include "common/thread_pool.h"
#include "engine/cache_size.h"
#include "engine/cuda/batch_plan.h"
#include "engine/cuda/device_batch.h"
#include "engine/cuda/device_cache.h"
#include "engine/cuda/device_rows.h"
#include "engine/cuda/device_weights.h"
#include "engine/cuda/layer_attention.h"
#include "engine/cuda/stage_device.h"
#include "engine/dense_stage.h"
#include "model/config/model_config.h"
#include "model/weights/load_progress.h"
#include "model/weights/weight_source.h"

namespace apollo {

// A dense stage on an NVIDIA GPU. Its boundary rows are bf16 in the memory of
// the device. Forward only enqueues work: steps complete in order, by events
// that the stage posts.
class CudaDenseStage final : public DenseStage {
 public:
  // Loads the weights, in the format of the source. The source and the pool are
  // used only during the call. Errors: those of OpenDevice
  // (kernels/cuda/device.h) and of the source; INVALID_ARGUMENT for weights or
  // a type of cache that GPUs cannot use; RESOURCE_EXHAUSTED, with all sizes,
  // if weights, cache, scratch memory and a reserve (MemoryReserve in
  // weight_bytes.h) exceed the free memory, or if the cache cannot hold one
  // block.
  static absl::StatusOr<std::unique_ptr<CudaDenseStage>> Load(
      const ModelConfig& config, const WeightSource& source,
      const CacheOptions& cache, ThreadPool& pool, StageDeviceOptions device,
      const LoadProgress& progress);
  ~CudaDenseStage() override;

  void SetPost(PostEvent post) override { device_->SetPost(std::move(post)); }
  BlockPool& blocks() override { return cache_->pool(); }
  // A step has at least one row, and at most StageDeviceOptions::max_rows.
  void Forward(DenseStep step, Done done) override;
  const ModelConfig& config() const override { return config_; }

  // Returns how often memory was allocated after Load: for more steps in flight
  // than expected, or rows that others hold for long.
  int grown() const { return rows_->grown() + device_->grown(); }

 private:
  explicit CudaDenseStage(const ModelConfig& config) : config_(config) {}

  // The memory that steps use, one after the other.
  absl::Status AllocateScratch();
  absl::Status LoadWeights(const WeightSource& source, std::size_t bytes,
                           ThreadPool& pool, const LoadProgress& progress);
  // Enqueues the layers for rows that are not in the log, and adds them to it.
  absl::Status Compute(const cuda::BatchPlan& plan,
                       const std::vector<std::int32_t>& tokens);
  // Enqueues a copy of rows of the log.
  absl::StatusOr<Rows> FromLog(const std::vector<std::int32_t>& slots);

  const ModelConfig config_;
  std::unique_ptr<cuda::StageDevice> device_;
  cuda::BatchLimits limits_;
  std::unique_ptr<cuda::DeviceCache> cache_;
  cuda::DeviceEmbedding embedding_;
  cuda::DeviceRope rope_;
  std::vector<cuda::DeviceDenseLayer> layers_;
  cuda::BatchMemory batch_;
  cuda::LayerScratch scratch_;
  cuda::DeviceBuffer residual_;  // [max_rows, hidden], float32
  std::optional<cuda::RowPool> rows_;
};

}  // namespace apollo
