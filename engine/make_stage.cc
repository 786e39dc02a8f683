#include "engine/make_stage.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "common/status_macros.h"
#include "engine/cpu/cpu_dense_stage.h"
#include "engine/cpu/cpu_expert_loader.h"
#include "engine/cpu/cpu_expert_stage.h"
#include "engine/make_cuda_stage.h"
#include "engine/numerics.h"
#include "engine/worker_device.h"
#include "model/weights/load_progress.h"

namespace apollo {
namespace {

std::string NumericsOnCpu(const WorkerModel& model) {
  return CpuNumerics(model.weights, model.cache.type);
}

}  // namespace

absl::StatusOr<MadeStage<DenseStage>> MakeDenseStage(const WorkerSetup& setup,
                                                     int max_rows,
                                                     ThreadPool& pool) {
  if (IsGpu(setup.device)) return MakeCudaDenseStage(setup, max_rows, pool);
  const OpenModel& model = setup.model.model;
  ASSIGN_OR_RETURN(
      std::unique_ptr<DenseStage> stage,
      CpuDenseStage::Load(model.config, *model.weights, setup.model.cache, pool,
                          LogLoadProgress()));
  return MadeStage<DenseStage>{std::move(stage), NumericsOnCpu(setup.model)};
}

absl::StatusOr<MadeStage<ExpertStage>> MakeExpertStage(
    const WorkerSetup& setup, const LayerExperts& experts, int max_rows,
    ThreadPool& pool) {
  if (IsGpu(setup.device)) {
    if (!experts.in_layer.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the placement gives this worker other experts in layer ",
          experts.in_layer.begin()->first, " than in others; with --device=",
          DeviceName(setup.device), " they must be the same in all layers"));
    }
    return MakeCudaExpertStage(setup, experts.everywhere, max_rows, pool);
  }
  const OpenModel& model = setup.model.model;
  ASSIGN_OR_RETURN(
      std::unique_ptr<ExpertStage> stage,
      CpuExpertStage::Load(model.config, *model.weights, experts,
                           setup.model.cache, pool, LogLoadProgress()));
  return MadeStage<ExpertStage>{std::move(stage), NumericsOnCpu(setup.model)};
}

std::unique_ptr<ExpertLoader> MakeExpertLoader(const WorkerSetup& setup) {
  const OpenModel& model = setup.model.model;
  if (IsGpu(setup.device) || model.config.is_dense()) return nullptr;
  return std::make_unique<CpuExpertLoader>(model.config, *model.weights);
}

}  // namespace apollo
