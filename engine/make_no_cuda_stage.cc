// Instead of make_cuda_stage.cc in programs without CUDA.

#include "engine/make_cuda_stage.h"
#include "engine/worker_device.h"

namespace apollo {
namespace {

absl::Status NoCuda(Device device) {
  return ParseDevice(DeviceName(device), /*has_cuda=*/false).status();
}

}  // namespace

absl::StatusOr<MadeStage<DenseStage>> MakeCudaDenseStage(
    const WorkerSetup& setup, int /*max_rows*/, ThreadPool& /*pool*/) {
  return NoCuda(setup.device);
}

absl::StatusOr<MadeStage<ExpertStage>> MakeCudaExpertStage(
    const WorkerSetup& setup, const std::set<int>& /*experts*/,
    int /*max_rows*/, ThreadPool& /*pool*/) {
  return NoCuda(setup.device);
}

}  // namespace apollo
