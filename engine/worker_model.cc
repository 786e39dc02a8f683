#include "engine/worker_model.h"

#include <absl/strings/str_cat.h>

#include <optional>

#include "common/free_memory.h"
#include "common/status_macros.h"
#include "engine/cache_options.h"
#include "engine/worker_device.h"
#include "kernels/cpu_level.h"
#include "model/config/model_warnings.h"
#include "model/weights/weight_names.h"

namespace apollo {
namespace {

// Returns the format of the matrices on a GPU, whose products take only some.
absl::StatusOr<WeightFormat> WeightsOnGpu(const OpenModel& model,
                                          Device device) {
  constexpr char kRight[] = "; it must be bf16, int8 or int4";
  if (!model.format) {
    if (model.float32_matrix.empty()) return WeightFormat::kBF16;
    return absl::InvalidArgumentError(absl::StrCat(
        "--weights is auto, and ", model.float32_matrix,
        " of the checkpoint is not in bf16, so that it would be kept in "
        "float32, which --device=",
        DeviceName(device), " does not support", kRight));
  }
  switch (*model.format) {
    case WeightFormat::kBF16:
    case WeightFormat::kInt8:
    case WeightFormat::kInt4:
      return *model.format;
    case WeightFormat::kF32:
      return absl::InvalidArgumentError(absl::StrCat(
          "--weights is ", WeightsName(model.format), ", which --device=",
          DeviceName(device), " does not support", kRight));
  }
  NoSuchFormat();
}

// Completes a model that has been opened for the device.
absl::Status FitToDevice(const WorkerModelOptions& options,
                         WorkerModel& opened) {
  opened.weights = opened.model.format;
  if (!IsGpu(options.device)) {
    return CheckCacheFits(opened.cache.bytes, FreeMemory());
  }
  ASSIGN_OR_RETURN(opened.weights, WeightsOnGpu(opened.model, options.device));
  if (options.cache_prefault) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--cache_prefault is set with --device=", DeviceName(options.device),
        "; it must not be, because a GPU always allocates its cache at start"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WorkerModel> OpenWorkerModel(const WorkerModelOptions& options) {
  RETURN_IF_ERROR(UseCpuLevelOfEnvironment());
  ASSIGN_OR_RETURN(const std::optional<WeightFormat> weights,
                   ParseWeights(options.weights));
  WorkerModel opened;
  ASSIGN_OR_RETURN(opened.model, OpenModelDirectory(options.model, weights));
  RETURN_IF_ERROR(
      ReportModelWarnings(opened.model.warnings, options.strict_model));
  ASSIGN_OR_RETURN(
      opened.cache,
      ParseCacheOptions(options.cache_megabytes, options.cache_dtype,
                        opened.model.format, options.device));
  RETURN_IF_ERROR(FitToDevice(options, opened));
  opened.cache.prefault = options.cache_prefault;
  opened.fingerprint = FingerprintOf(opened.model.config, options.model);
  return opened;
}

}  // namespace apollo
