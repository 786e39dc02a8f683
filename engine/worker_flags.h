#pragma once

#include <cstdint>
#include <string>

#include "engine/worker_model.h"

namespace apollo {

// The flags of programs that compute: --threads, --weights, --cache_megabytes,
// --cache_dtype and --cache_prefault.
struct WorkerFlags {
  WorkerModelOptions model;
  int threads = 0;  // Unresolved flag value; 0: one per CPU.
};

// Reads the flags, after absl::ParseCommandLine, for a model directory.
// `cache_megabytes` is the default. Performs no checks; the users of the values
// do.
WorkerFlags ReadWorkerFlags(const std::string& model,
                            std::int64_t cache_megabytes);

}  // namespace apollo
