// Loading of CudaExpertStage.
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/status_macros.h"
#include "engine/cuda/cuda_expert_stage.h"
#include "kernels/cuda/experts.h"
#include "model/weights/tensor_registry.h"

namespace apollo {
namespace {

using cuda::SparseLayers;
using cuda::SparseSizes;

// Blocks of memory for rows that are on their way to other workers.
constexpr int kRowBlocks = 4;

absl::Status CheckExperts(const ModelConfig& config,
                          const std::set<int>& experts) {
  for (const int e : experts) {
    if (e >= 0 && e < config.num_experts) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("expert ", e, " does not exist; this model has experts 0",
                     " to ", config.num_experts - 1));
  }
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

// Returns the bytes of a block of rows: the outputs of as many guests as fit
// into a piece, or the inputs of all assignments of a piece.
std::size_t RowBlockBytes(const SparseSizes& sizes, bool all_resident) {
  const std::size_t outputs = sizes.piece_rows * sizeof(float);
  const std::size_t inputs =
      all_resident ? 0 : sizes.piece_assignments() * sizeof(cuda::Bf16);
  return std::max(outputs, inputs) * sizes.hidden;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CudaExpertStage>> CudaExpertStage::Load(
    const ModelConfig& config, const WeightSource& source,
    const std::set<int>& experts, const CacheOptions& cache, ThreadPool& pool,
    StageDeviceOptions device, const LoadProgress& progress) {
  RETURN_IF_ERROR(CheckExperts(config, experts));
  std::unique_ptr<CudaExpertStage> stage(new CudaExpertStage(config, experts));
  device.max_rows =
      cuda::RoundUp(std::max(device.max_rows, 1), SparseSizes::kRowUnit);
  const SparseSizes sizes = stage->sizes_ =
      SparseSizes::Of(config, device.max_rows);
  ASSIGN_OR_RETURN(const std::size_t weight_bytes,
                   cuda::ExpertStageBytes(config, source, experts));
  ASSIGN_OR_RETURN(
      const cuda::DeviceCache::Size size,
      cuda::DeviceCache::SizeFor(config, sizes.layers, /*log=*/false, cache));
  SparseLayers::Limits limits;
  limits.batch = cuda::BatchLimitsOf(config, sizes.piece_rows, size.blocks);
  ASSIGN_OR_RETURN(limits.shared_inner, SharedInner(config, source));
  stage->batch_limits_ = limits.batch;
  const auto head_limits = cuda::CudaHead::LimitsFor(config, sizes.piece_rows);
  const std::size_t block = RowBlockBytes(sizes, stage->AllResident());
  const std::size_t scratch =
      cuda::StageDevice::Bytes(sizes.piece_rows) +
      SparseLayers::Bytes(config, sizes, limits) +
      cuda::StepMemory::Bytes(sizes, limits.batch, sizes.piece_rows) +
      cuda::CudaHead::Bytes(config, head_limits) + kRowBlocks * block;
  ASSIGN_OR_RETURN(stage->device_,
                   cuda::StageDevice::Open(std::move(device), 0));
  const std::array<cuda::MemoryNeed, 3> needs = {
      {{"the weights", weight_bytes},
       {"the cache (--cache_megabytes)", size.bytes},
       {"steps", scratch}}};
  RETURN_IF_ERROR(cuda::CheckRoom(stage->device_->info(), needs));

  ASSIGN_OR_RETURN(stage->cache_, cuda::DeviceCache::Create(
                                      config, sizes.layers, false, size));
  cuda::DeviceWeightLoader loader(config, source, pool, *stage->device_,
                                  ExpertStageTensors(config, experts),
                                  progress);
  std::vector<cuda::DeviceSparseLayer> layers;
  for (int layer = config.boundary; layer < config.num_layers; ++layer) {
    ASSIGN_OR_RETURN(cuda::DeviceSparseLayer weights,
                     loader.SparseLayer(layer, experts));
    layers.push_back(std::move(weights));
  }
  ASSIGN_OR_RETURN(cuda::DeviceHead head, loader.Head());
  ASSIGN_OR_RETURN(cuda::DeviceVector frequencies,
                   loader.Numbers(cuda::InverseFrequencies(config)));
  RETURN_IF_ERROR(loader.Finish());

  ASSIGN_OR_RETURN(
      stage->layers_,
      SparseLayers::Create(stage->config_, sizes, limits, std::move(layers),
                           std::move(frequencies), *stage->cache_,
                           *stage->device_));
  ASSIGN_OR_RETURN(
      stage->head_,
      cuda::CudaHead::Create(stage->config_, std::move(head), head_limits));
  ASSIGN_OR_RETURN(stage->rows_, cuda::RowPool::Create(stage->device_->device(),
                                                       block, kRowBlocks));
  ASSIGN_OR_RETURN(auto memory, cuda::StepMemory::Allocate(sizes, limits.batch,
                                                           sizes.piece_rows));
  stage->unused_.push_back(std::move(memory));
  return stage;
}

}  // namespace apollo
