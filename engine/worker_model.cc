#include "engine/worker_model.h"

#include <optional>

#include "common/status_macros.h"
#include "engine/cache_options.h"
#include "kernels/cpu_level.h"
#include "model/weights/weight_names.h"

namespace apollo {

absl::StatusOr<WorkerModel> OpenWorkerModel(const WorkerModelOptions& options) {
  RETURN_IF_ERROR(UseCpuLevelOfEnvironment());
  ASSIGN_OR_RETURN(const std::optional<WeightFormat> weights,
                   ParseWeights(options.weights));
  WorkerModel opened;
  ASSIGN_OR_RETURN(opened.model, OpenModelDirectory(options.model, weights));
  ASSIGN_OR_RETURN(opened.cache,
                   ParseCacheOptions(options.cache_megabytes,
                                     options.cache_dtype, opened.model.format));
  opened.cache.prefault = options.cache_prefault;
  opened.fingerprint = FingerprintOf(opened.model.config, options.model);
  return opened;
}

}  // namespace apollo
