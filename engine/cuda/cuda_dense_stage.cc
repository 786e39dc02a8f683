#include "engine/cuda/cuda_dense_stage.h"

#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/rows.h"
#include "model/weights/tensor_registry.h"

namespace apollo {
namespace {

// Boundary rows of this many steps are on their way as a rule: steps in flight,
// and some that links still send.
constexpr int kRowBlocks = 4;
// Steps that the device may not have begun (--steps_in_flight).
constexpr int kWaitingSteps = 4;

std::size_t RowBytes(const ModelConfig& config, int rows, std::size_t number) {
  return static_cast<std::size_t>(rows) *
         static_cast<std::size_t>(config.hidden_size) * number;
}

// Returns the bytes of all memory that steps use besides weights and cache.
std::size_t ScratchBytes(const ModelConfig& config,
                         const cuda::BatchLimits& limits) {
  return cuda::StageDevice::Bytes(limits.rows) +
         cuda::BatchMemory::Bytes(limits, config.head_size) +
         cuda::LayerScratch::Bytes(config, limits, config.intermediate_size) +
         RowBytes(config, limits.rows, sizeof(float)) +
         kRowBlocks * RowBytes(config, limits.rows, sizeof(cuda::Bf16));
}

// Returns what waiting steps bring from the host, at most: their plans, and a
// token and a slot for each row.
std::size_t HostBytes(const ModelConfig& config,
                      const cuda::BatchLimits& limits) {
  return kWaitingSteps *
         (cuda::BatchMemory::Bytes(limits, config.head_size) +
          2 * static_cast<std::size_t>(limits.rows) * sizeof(std::int32_t));
}

}  // namespace

absl::StatusOr<std::unique_ptr<CudaDenseStage>> CudaDenseStage::Load(
    const ModelConfig& config, const WeightSource& source,
    const CacheOptions& cache, ThreadPool& pool, StageDeviceOptions device,
    const LoadProgress& progress) {
  ASSIGN_OR_RETURN(const std::size_t weight_bytes,
                   cuda::DenseStageBytes(config, source));
  ASSIGN_OR_RETURN(const cuda::DeviceCache::Size cache_size,
                   cuda::DeviceCache::SizeFor(config, config.boundary,
                                              /*log=*/true, cache));
  std::unique_ptr<CudaDenseStage> stage(new CudaDenseStage(config));
  stage->limits_ =
      cuda::BatchLimitsOf(config, device.max_rows, cache_size.blocks);
  ASSIGN_OR_RETURN(stage->device_,
                   cuda::StageDevice::Open(std::move(device),
                                           HostBytes(config, stage->limits_)));
  const std::array<cuda::MemoryNeed, 3> needs = {
      {{"the weights", weight_bytes},
       {"the cache (--cache_megabytes)", cache_size.bytes},
       {"steps (--token_budget)", ScratchBytes(config, stage->limits_)}}};
  RETURN_IF_ERROR(cuda::CheckRoom(stage->device_->info(), needs));
  ASSIGN_OR_RETURN(stage->cache_,
                   cuda::DeviceCache::Create(config, config.boundary,
                                             /*log=*/true, cache_size));
  RETURN_IF_ERROR(stage->AllocateScratch());
  RETURN_IF_ERROR(stage->LoadWeights(source, weight_bytes, pool, progress));
  return stage;
}

CudaDenseStage::~CudaDenseStage() {
  if (device_ != nullptr) device_->Stop();  // Before memory is freed.
}

absl::Status CudaDenseStage::AllocateScratch() {
  ASSIGN_OR_RETURN(batch_,
                   cuda::BatchMemory::Allocate(limits_, config_.head_size));
  ASSIGN_OR_RETURN(scratch_, cuda::LayerScratch::Allocate(
                                 config_, limits_, config_.intermediate_size));
  ASSIGN_OR_RETURN(
      residual_,
      cuda::AllocateDevice(RowBytes(config_, limits_.rows, sizeof(float)),
                           "intermediate results"));
  ASSIGN_OR_RETURN(rows_, cuda::RowPool::Create(device_->device(),
                                                RowBytes(config_, limits_.rows,
                                                         sizeof(cuda::Bf16)),
                                                kRowBlocks));
  return absl::OkStatus();
}

absl::Status CudaDenseStage::LoadWeights(const WeightSource& source,
                                         std::size_t bytes, ThreadPool& pool,
                                         const LoadProgress& progress) {
  cuda::DeviceWeightLoader loader(config_, source, pool, *device_, bytes,
                                  DenseStageTensors(config_), progress);
  ASSIGN_OR_RETURN(rope_, loader.Rope());
  ASSIGN_OR_RETURN(embedding_, loader.Embedding());
  for (int layer = 0; layer < config_.boundary; ++layer) {
    ASSIGN_OR_RETURN(cuda::DeviceDenseLayer weights, loader.DenseLayer(layer));
    layers_.push_back(std::move(weights));
  }
  return loader.Finish();
}

void CudaDenseStage::Forward(DenseStep step, Done done) {
  std::vector<cuda::BatchSlice> computed;
  std::vector<std::int32_t> slots;  // Of all rows.
  for (const DenseSlice& slice : step.slices) {
    for (int r = 0; r < slice.rows; ++r) {
      slots.push_back(cuda::SlotOf(*slice.blocks, slice.first_position + r));
    }
    if (slice.rows == slice.cached) continue;
    computed.push_back({slice.blocks, slice.first_position + slice.cached,
                        slice.rows - slice.cached});
  }
  APOLLO_CHECK(!slots.empty() &&
               static_cast<int>(slots.size()) <= limits_.rows);
  if (device_->failed()) return;
  device_->Use();
  if (!computed.empty()) {
    const cuda::BatchPlan plan =
        cuda::PlanBatch(computed, limits_.group, limits_.max_slots);
    if (!device_->Check(Compute(plan, step.tokens))) return;
  }
  absl::StatusOr<Rows> boundary = FromLog(slots);  // All rows are there now.
  if (!device_->Check(boundary.status())) return;
  device_->WhenDone(
      [done = std::move(done), rows = *std::move(boundary)]() mutable {
        done(std::move(rows));
      });
}

absl::Status CudaDenseStage::Compute(const cuda::BatchPlan& plan,
                                     const std::vector<std::int32_t>& tokens) {
  const int rows = plan.rows();
  APOLLO_CHECK(static_cast<int>(tokens.size()) == rows);
  const int hidden = config_.hidden_size;
  const cudaStream_t stream = device_->stream();
  float* const residual = residual_.as<float>();
  const cuda::DeviceBatch batch = batch_.Set(plan, rope_.get(), *device_);
  RETURN_IF_ERROR(cuda::Embed(embedding_.get(),
                              device_->UploadVector(std::span(tokens)), rows,
                              hidden, residual, stream));
  for (int layer = 0; layer < config_.boundary; ++layer) {
    const cuda::DeviceDenseLayer& w = layers_[static_cast<std::size_t>(layer)];
    RETURN_IF_ERROR(cuda::RunAttention(config_, w.attention, batch,
                                       cache_->layer(layer), residual, scratch_,
                                       scratch_.normed, stream));
    RETURN_IF_ERROR(cuda::RunMlp(w.mlp, scratch_.normed, rows, scratch_.active,
                                 cuda::Epilogue::kAdd, residual, stream));
  }
  return cuda::RoundRows(residual, batch.slots, rows, hidden, cache_->log(),
                         stream);
}

absl::StatusOr<Rows> CudaDenseStage::FromLog(
    const std::vector<std::int32_t>& slots) {
  const int rows = static_cast<int>(slots.size());
  const int hidden = config_.hidden_size;
  ASSIGN_OR_RETURN(Rows boundary, rows_->Take(rows, hidden, RowType::kBf16));
  RETURN_IF_ERROR(cuda::GatherRows(
      cache_->log(), device_->UploadVector(std::span(slots)), rows, hidden,
      static_cast<cuda::Bf16*>(boundary.data()), device_->stream()));
  return boundary;
}

}  // namespace apollo
