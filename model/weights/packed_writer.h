#pragma once

#include <absl/status/status.h>

#include <optional>
#include <string>

#include "common/thread_pool.h"
#include "kernels/packed_matrix.h"
#include "model/weights/load_progress.h"

namespace apollo {

// Writes the packed weights (model/weights/packed_weights.h) of a checkpoint
// directory to the file `path`. Holds at most one matrix in memory. Returns the
// errors of OpenModelDirectory and of the file system.
absl::Status PackModel(const std::string& directory,
                       std::optional<WeightFormat> format,
                       const std::string& path, ThreadPool& pool,
                       const LoadProgress& progress);

}  // namespace apollo
