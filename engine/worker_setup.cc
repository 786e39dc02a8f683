#include "engine/worker_setup.h"

#include <utility>

#include "common/status_macros.h"
#include "common/thread_count.h"
#include "engine/worker_device.h"
#include "kernels/cpu_level.h"

namespace apollo {

std::vector<LogField> WorkerSetup::LogFacts() const {
  return {{"model_hash", model.model.hash},
          {"device", DeviceName(device)},
          {"threads", threads},
          {"weights", weights},
          {"cpu_level", CpuLevelName(CurrentCpuLevel())}};
}

absl::StatusOr<std::unique_ptr<WorkerSetup>> OpenWorkerSetup(
    const WorkerFlags& flags, const std::string& families_file) {
  ASSIGN_OR_RETURN(const int threads, ThreadCount(flags.threads));
  ASSIGN_OR_RETURN(WorkerModel model, OpenWorkerModel(flags.model));
  ASSIGN_OR_RETURN(FamilyTable families,
                   FamilyTable::ForModel(flags.model.model, families_file,
                                         model.model.config.num_experts));
  return std::make_unique<WorkerSetup>(WorkerSetup{
      std::move(model), std::move(families), threads, flags.model.weights,
      flags.model.device, flags.prefix_caching});
}

}  // namespace apollo
