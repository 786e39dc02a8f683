#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "common/thread_pool.h"
#include "engine/cache_size.h"
#include "engine/cuda/cuda_head.h"
#include "engine/cuda/device_cache.h"
#include "engine/cuda/device_rows.h"
#include "engine/cuda/guest_rows.h"
#include "engine/cuda/sparse_layers.h"
#include "engine/cuda/sparse_sizes.h"
#include "engine/cuda/sparse_step.h"
#include "engine/cuda/stage_device.h"
#include "engine/cuda/step_memory.h"
#include "engine/cuda/token_questions.h"
#include "engine/expert_stage.h"
#include "model/config/model_config.h"
#include "model/weights/load_progress.h"
#include "model/weights/weight_source.h"

namespace apollo {

// An expert stage on an NVIDIA GPU. Functions only enqueue work. If all experts
// are resident, the layers of a step follow each other without a wait, and
// nothing is read back before Finish. Otherwise the choices of each layer come
// to the host, with the rows of absent experts, while resident ones run.
//
// Rows: boundary rows and guests may be bf16 or float32 in the memory of this
// device, or float32 in host memory; outputs of absent experts float32 in
// either. Rows for absent experts come out as bf16, outputs of guests as
// float32, in the memory of the device.
//
// Steps, guests and scored tokens are computed in pieces of at most
// StageDeviceOptions::max_rows rows (rounded up to a multiple of 16). A step
// with more rows needs more memory, which is kept: see grown().
class CudaExpertStage final : public ExpertStage {
 public:
  // Loads the weights, in the format of the source. The source and the pool are
  // used only during the call. Errors: those of OpenDevice
  // (kernels/cuda/device.h); INVALID_ARGUMENT for an expert that the model does
  // not have, and for weights or a cache type that GPUs cannot use;
  // RESOURCE_EXHAUSTED, with all sizes, if weights, cache, scratch memory and
  // a reserve (MemoryReserve in weight_bytes.h) exceed the free memory, or if
  // the cache cannot hold one block; those of the source.
  static absl::StatusOr<std::unique_ptr<CudaExpertStage>> Load(
      const ModelConfig& config, const WeightSource& source,
      const std::set<int>& experts, const CacheOptions& cache, ThreadPool& pool,
      StageDeviceOptions device, const LoadProgress& progress);
  ~CudaExpertStage() override;

  void SetPost(PostEvent post) override { device_->SetPost(std::move(post)); }
  BlockPool& blocks() override { return cache_->pool(); }
  const ModelConfig& config() const override { return config_; }
  const LayerExperts& experts() const override { return resident_; }

  std::unique_ptr<ExpertStep> Begin(std::vector<ExpertSlice> slices) override;
  void RunLayer(ExpertStep& step, int layer, std::vector<GuestRows> guests,
                Absent absent, GuestsDone done) override;
  void Resume(ExpertStep& step, std::vector<std::optional<Rows>> outputs,
              Done done) override;
  void RunExperts(int layer, std::vector<GuestRows> guests,
                  GuestsDone done) override;
  void Finish(ExpertStep& step, std::vector<TokenRequest> requests,
              Finished done) override;

  // Returns how often memory was allocated after Load: for steps that are
  // larger than max_rows or exist at the same time, for more guests in a layer
  // than max_rows, and for rows that others hold for long.
  int grown() const { return grown_ + rows_->grown() + device_->grown(); }

 private:
  struct Step;
  struct Layer;

  CudaExpertStage(const ModelConfig& config, std::set<int> experts)
      : config_(config), experts_(std::move(experts)), resident_(experts_) {}

  bool AllResident() const {
    return static_cast<int>(experts_.size()) == config_.num_experts;
  }
  // Returns memory for the rows of the slices.
  absl::StatusOr<std::unique_ptr<cuda::StepMemory>> MemoryFor(
      const std::vector<ExpertSlice>& slices);

  // Enqueue a layer whose experts are all resident, or not.
  absl::Status EnqueueWhole(Step& step, Layer layer);
  absl::Status EnqueueDivided(Step& step, Layer layer);
  // Continues a layer when the choices of its rows have come to the host.
  // gathered: the inputs of each piece, grouped by expert.
  absl::Status Divide(Step& step, Absent& absent,
                      const std::vector<std::int32_t>& guests,
                      const std::vector<Rows>& gathered);
  // Uses the outputs of absent experts.
  absl::Status Scatter(Step& step, std::vector<std::optional<Rows>> outputs);
  absl::Status EnqueueAnswers(Step& step,
                              const std::vector<TokenRequest>& requests,
                              Finished done);
  std::vector<SliceOutcome> Outcomes(
      const Step& step, const cuda::TokenQuestions& questions) const;

  const ModelConfig config_;
  const std::set<int> experts_;  // In every sparse layer.
  const LayerExperts resident_;  // The same.
  cuda::SparseSizes sizes_;
  cuda::BatchLimits batch_limits_;
  int grown_ = 0;
  std::unique_ptr<cuda::StageDevice> device_;
  std::unique_ptr<cuda::DeviceCache> cache_;
  std::optional<cuda::RowPool> rows_;
  std::unique_ptr<cuda::SparseLayers> layers_;
  std::optional<cuda::CudaHead> head_;
  // Memory of steps that have ended.
  std::vector<std::unique_ptr<cuda::StepMemory>> unused_;
};

}  // namespace apollo
