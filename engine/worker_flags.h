#pragma once

#include <cstdint>
#include <string>

#include "engine/worker_model.h"

namespace apollo {

// The flags of programs that compute: --threads, --weights, --cache_megabytes,
// --cache_dtype and --cache_prefault.
struct WorkerFlags {
  WorkerModelOptions model;
  int threads = 0;  // As it was given; 0: one for each processor.
};

// Reads them after absl::ParseCommandLine, for a model directory.
// `cache_megabytes` is the default. Checks nothing: whoever uses a value does.
WorkerFlags ReadWorkerFlags(const std::string& model,
                            std::int64_t cache_megabytes);

}  // namespace apollo
