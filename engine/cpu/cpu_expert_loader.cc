#include "engine/cpu/cpu_expert_loader.h"

#include <span>
#include <utility>
#include <vector>

#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "engine/load_count.h"
#include "model/weights/tensor_registry.h"

namespace apollo {

void ReleaseExpert(MlpWeights mlp) {
  for (const PackedMatrix* matrix : {&mlp.gate_up, &mlp.down}) {
    ReleasePages(std::span(matrix->data(), matrix->bytes()));
  }
}

std::int64_t CpuExpertLoader::Bytes(LayerExpert which) const {
  return SourceBytes(source_, MlpTensors(config_, which.layer, which.expert));
}

absl::StatusOr<std::unique_ptr<ExpertWeights>> CpuExpertLoader::Load(
    LayerExpert which) {
  const std::vector<TensorInfo> tensors =
      MlpTensors(config_, which.layer, which.expert);
  MutexLock lock(mutex_);
  MlpWeights mlp;
  ASSIGN_OR_RETURN(
      mlp.gate_up,
      source_.Matrix(NamesOf(tensors, WeightKind::kGateUp), pool_));
  ASSIGN_OR_RETURN(mlp.down,
                   source_.Matrix(NamesOf(tensors, WeightKind::kDown), pool_));
  return std::make_unique<CpuExpertWeights>(std::move(mlp));
}

}  // namespace apollo
