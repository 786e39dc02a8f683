#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "engine/worker_model.h"

namespace apollo {

// The flags of programs that compute: --device, --threads, --weights,
// --cache_megabytes, --cache_dtype, --cache_prefault and --prefix_caching.
struct WorkerFlags {
  WorkerModelOptions model;
  int threads = 0;  // Unresolved flag value; 0: one per CPU.
  bool prefix_caching = true;
};

// Reads the flags, after absl::ParseCommandLine, for a model directory.
// `cache_megabytes` is the default. Returns the errors of ParseDevice; the
// users of the other values check them.
absl::StatusOr<WorkerFlags> ReadWorkerFlags(const std::string& model,
                                            std::int64_t cache_megabytes);

}  // namespace apollo
