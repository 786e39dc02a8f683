// Loading of CudaExpertStage.
#include <algorithm>
#include <array>
#include <utility>

#include "common/status_macros.h"
#include "engine/cuda/cuda_expert_stage.h"
#include "kernels/cuda/experts.h"
#include "model/config/expert_list.h"
#include "model/weights/tensor_registry.h"

namespace apollo {
namespace {

using cuda::SparseLayers;
using cuda::SparseSizes;

// Blocks of memory for guests: the rows and the outputs of a layer's, and the
// outputs of layers before that are on their way to other workers.
constexpr int kGuestBlocks = 4;
// Blocks for the choices of a step, if experts are absent: the inputs of a
// layer, those of the layer before, which may still be on their way, and the
// outputs that come back.
constexpr int kChoiceBlocks = 3;

absl::Status CheckModel(const ModelConfig& config,
                        const std::set<int>& experts) {
  RETURN_IF_ERROR(CheckExperts(experts, config.num_experts));
  if (config.is_dense()) return absl::OkStatus();
  return cuda::CheckGate(
      {config.num_experts, config.experts_per_token, config.norm_topk_prob});
}

// Returns the width of the widest shared expert, or 0.
absl::StatusOr<int> SharedInner(const ModelConfig& config,
                                const WeightSource& source) {
  int inner = 0;
  if (!config.shared_expert) return inner;
  for (int layer = config.boundary; layer < config.num_layers; ++layer) {
    const auto tensors = MlpTensors(config, layer, kTheSharedExpert);
    ASSIGN_OR_RETURN(const MatrixShape down,
                     source.Shape(NamesOf(tensors, WeightKind::kDown)));
    inner = std::max(inner, down.inputs);
  }
  return inner;
}

std::size_t GuestBlockBytes(const SparseSizes& sizes) {
  return sizes.piece_rows * sizeof(float) * sizes.hidden;
}

// Returns the bytes of a block of choices: the inputs of all assignments of a
// piece in bf16, or the outputs of all choices of its rows in float32.
std::size_t ChoiceBlockBytes(const SparseSizes& sizes) {
  const std::size_t inputs = sizes.piece_assignments() * sizeof(cuda::Bf16);
  const std::size_t outputs =
      sizes.piece_rows * sizeof(float) * static_cast<std::size_t>(sizes.top_k);
  return std::max(inputs, outputs) * sizes.hidden;
}

// Returns what a step brings from the host before the device has read it, at
// most: its plan, three numbers for each choice of a layer (guests' experts,
// dropped rows and places of outputs), two questions for each row, rows of a
// layer's guests, and boundary rows or the outputs of absent experts: when
// those come, the device has read the boundary rows.
std::size_t HostBytes(const SparseSizes& sizes, const cuda::BatchLimits& limits,
                      const cuda::TokenQuestions::Limits& head,
                      bool all_resident) {
  const std::size_t rows = sizes.piece_rows;
  const std::size_t arriving =
      1 + (all_resident ? 1 : static_cast<std::size_t>(sizes.top_k));
  const std::size_t questions =
      2 * rows * (sizeof(std::int32_t) + sizeof(cuda::SampleRequest)) +
      head.adjustments * sizeof(cuda::Adjustment);
  return cuda::BatchMemory::Bytes(limits, sizes.head_size) +
         3 * sizes.piece_assignments() * sizeof(std::int32_t) +
         arriving * rows * sizes.hidden * sizeof(float) + questions;
}

absl::StatusOr<cuda::LateLayers> LoadLayers(const ModelConfig& config,
                                            const std::set<int>& experts,
                                            cuda::DeviceWeightLoader& loader) {
  cuda::LateLayers layers;
  for (int layer = config.boundary; layer < config.num_layers; ++layer) {
    if (config.is_dense()) {
      ASSIGN_OR_RETURN(cuda::DeviceDenseLayer weights,
                       loader.DenseLayer(layer));
      layers.dense.push_back(std::move(weights));
      continue;
    }
    ASSIGN_OR_RETURN(cuda::DeviceSparseLayer weights,
                     loader.SparseLayer(layer, experts));
    layers.sparse.push_back(std::move(weights));
  }
  return layers;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CudaExpertStage>> CudaExpertStage::Load(
    const ModelConfig& config, const WeightSource& source,
    const std::set<int>& experts, const CacheOptions& cache, ThreadPool& pool,
    StageDeviceOptions device, const LoadProgress& progress) {
  RETURN_IF_ERROR(CheckModel(config, experts));
  std::unique_ptr<CudaExpertStage> stage(new CudaExpertStage(config, experts));
  device.max_rows =
      cuda::RoundUp(std::max(device.max_rows, 1), SparseSizes::kRowUnit);
  const SparseSizes sizes = stage->sizes_ =
      SparseSizes::Of(config, device.max_rows);
  ASSIGN_OR_RETURN(const std::size_t weight_bytes,
                   cuda::ExpertStageBytes(config, source, experts));
  ASSIGN_OR_RETURN(const cuda::DeviceCache::Size size,
                   cuda::DeviceCache::SizeFor(config, config.num_layers_after(),
                                              /*log=*/false, cache));
  SparseLayers::Limits limits;
  limits.batch = cuda::BatchLimitsOf(config, sizes.piece_rows, size.blocks);
  ASSIGN_OR_RETURN(limits.shared_inner, SharedInner(config, source));
  if (config.is_dense()) limits.dense_inner = config.intermediate_size;
  stage->batch_limits_ = limits.batch;
  const auto head_limits = cuda::CudaHead::LimitsFor(config, sizes.piece_rows);
  const int choice_blocks = stage->AllResident() ? 0 : kChoiceBlocks;
  const std::size_t scratch =
      cuda::StageDevice::Bytes(sizes.piece_rows) +
      SparseLayers::Bytes(config, sizes, limits) +
      cuda::StepMemory::Bytes(sizes, limits.batch, sizes.piece_rows) +
      cuda::CudaHead::Bytes(config, head_limits) +
      kGuestBlocks * GuestBlockBytes(sizes) +
      choice_blocks * ChoiceBlockBytes(sizes);
  ASSIGN_OR_RETURN(
      stage->device_,
      cuda::StageDevice::Open(
          std::move(device),
          HostBytes(sizes, limits.batch, head_limits, stage->AllResident())));
  const std::array<cuda::MemoryNeed, 3> needs = {
      {{"the weights", weight_bytes},
       {"the cache (--cache_megabytes)", size.bytes},
       {"steps", scratch}}};
  RETURN_IF_ERROR(cuda::CheckRoom(stage->device_->info(), needs));

  ASSIGN_OR_RETURN(stage->cache_,
                   cuda::DeviceCache::Create(config, config.num_layers_after(),
                                             /*log=*/false, size));
  cuda::DeviceWeightLoader loader(
      config, source, pool, *stage->device_, weight_bytes,
      ExpertStageTensors(config, experts), progress);
  ASSIGN_OR_RETURN(cuda::LateLayers layers,
                   LoadLayers(config, experts, loader));
  ASSIGN_OR_RETURN(cuda::DeviceHead head, loader.Head());
  ASSIGN_OR_RETURN(cuda::DeviceRope rope, loader.Rope());
  RETURN_IF_ERROR(loader.Finish());

  ASSIGN_OR_RETURN(
      stage->layers_,
      SparseLayers::Create(stage->config_, sizes, limits, std::move(layers),
                           std::move(rope), *stage->cache_, *stage->device_));
  ASSIGN_OR_RETURN(
      stage->head_,
      cuda::CudaHead::Create(stage->config_, std::move(head), head_limits));
  ASSIGN_OR_RETURN(stage->rows_,
                   cuda::RowPool::Create(stage->device_->device(),
                                         GuestBlockBytes(sizes), kGuestBlocks));
  RETURN_IF_ERROR(stage->rows_->Add(ChoiceBlockBytes(sizes), choice_blocks));
  ASSIGN_OR_RETURN(auto memory, cuda::StepMemory::Allocate(sizes, limits.batch,
                                                           sizes.piece_rows));
  stage->unused_.push_back(std::move(memory));
  return stage;
}

}  // namespace apollo
