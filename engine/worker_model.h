#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "engine/cache_size.h"
#include "model/config/fingerprint.h"
#include "model/weights/open_model.h"

namespace apollo {

// A model as a worker serves it: opened and checked, with the cache that fits
// its weights. The flags that say so have the same names.
struct WorkerModelOptions {
  std::string model;  // A directory.
  std::string weights = "auto";
  std::int64_t cache_megabytes = 1024;
  std::string cache_dtype = "auto";
  bool cache_prefault = false;
};

struct WorkerModel {
  OpenModel model;
  CacheOptions cache;
  ModelFingerprint fingerprint;  // Of the directory.
};

// Chooses the instructions of the kernels (APOLLO_CPU_LEVEL) and opens the
// model; no weight is read. The errors name the flag, the variable or the file
// that is wrong.
absl::StatusOr<WorkerModel> OpenWorkerModel(const WorkerModelOptions& options);

}  // namespace apollo
