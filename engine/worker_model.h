#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/rows.h"
#include "engine/cache_size.h"
#include "model/config/fingerprint.h"
#include "model/weights/open_model.h"

namespace apollo {

// Options for serving a model in a worker. Each has the name of its flag.
struct WorkerModelOptions {
  std::string model;  // A directory.
  bool strict_model = false;
  Device device = {};
  std::string weights = "auto";
  std::int64_t cache_megabytes = 1024;
  std::string cache_dtype = "auto";
  bool cache_prefault = false;
};

// A model that has been opened and checked, and the cache options for its
// weights.
struct WorkerModel {
  OpenModel model;
  // The format of all matrices, or nullopt if it is that of the checkpoint for
  // each; never on a GPU.
  std::optional<WeightFormat> weights;
  CacheOptions cache;
  ModelFingerprint fingerprint;  // Of the directory.
};

// Selects the instruction set of the kernels (APOLLO_CPU_LEVEL) and opens the
// model without reading weights. Logs the warnings about the model, or refuses
// it for them if `strict_model`. Errors name the flag, variable or file that is
// wrong, or that does not go with the device.
absl::StatusOr<WorkerModel> OpenWorkerModel(const WorkerModelOptions& options);

}  // namespace apollo
