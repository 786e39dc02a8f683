#include "engine/make_cuda_stage.h"

#include <memory>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "engine/cuda/cuda_dense_stage.h"
#include "engine/cuda/cuda_expert_stage.h"
#include "engine/cuda/stage_device.h"
#include "engine/numerics.h"
#include "engine/worker_device.h"
#include "kernels/cuda/device.h"
#include "model/weights/load_progress.h"

namespace apollo {
namespace {

absl::StatusOr<std::string> NumericsOf(const WorkerSetup& setup) {
  ASSIGN_OR_RETURN(const cuda::DeviceInfo info,
                   cuda::OpenDevice(setup.device.index, /*bytes_needed=*/0));
  return CudaNumerics(info.major, info.minor, *setup.model.weights,
                      setup.model.cache.type);
}

StageDeviceOptions OptionsOf(const WorkerSetup& setup, int max_rows) {
  StageDeviceOptions options;
  options.index = setup.device.index;
  options.max_rows = max_rows;
  options.on_failure = [device = setup.device](const absl::Status& status) {
    EndOnDeviceFailure(device, status);
  };
  return options;
}

}  // namespace

absl::StatusOr<MadeStage<DenseStage>> MakeCudaDenseStage(
    const WorkerSetup& setup, int max_rows, ThreadPool& pool) {
  const OpenModel& model = setup.model.model;
  ASSIGN_OR_RETURN(std::string numerics, NumericsOf(setup));
  ASSIGN_OR_RETURN(std::unique_ptr<DenseStage> stage,
                   CudaDenseStage::Load(
                       model.config, *model.weights, setup.model.cache, pool,
                       OptionsOf(setup, max_rows), LogLoadProgress()));
  return MadeStage<DenseStage>{std::move(stage), std::move(numerics)};
}

absl::StatusOr<MadeStage<ExpertStage>> MakeCudaExpertStage(
    const WorkerSetup& setup, const std::set<int>& experts, int max_rows,
    ThreadPool& pool) {
  const OpenModel& model = setup.model.model;
  ASSIGN_OR_RETURN(std::string numerics, NumericsOf(setup));
  ASSIGN_OR_RETURN(std::unique_ptr<ExpertStage> stage,
                   CudaExpertStage::Load(
                       model.config, *model.weights, experts, setup.model.cache,
                       pool, OptionsOf(setup, max_rows), LogLoadProgress()));
  return MadeStage<ExpertStage>{std::move(stage), std::move(numerics)};
}

}  // namespace apollo
