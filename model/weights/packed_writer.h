#pragma once

#include <absl/status/status.h>

#include <optional>
#include <string>

#include "common/thread_pool.h"
#include "kernels/packed_matrix.h"
#include "model/weights/load_progress.h"
#include "model/weights/open_model.h"

namespace apollo {

// Writes the packed weights (model/weights/packed_weights.h) of a checkpoint
// directory, opened as `model`, to the file `path`. Holds at most one matrix in
// memory. Returns INVALID_ARGUMENT if the directory is packed already, and the
// errors of WeightSource and of the file system.
absl::Status PackModel(const OpenModel& model, const std::string& directory,
                       const std::string& path, ThreadPool& pool,
                       const LoadProgress& progress);

// Opens the directory first, with the errors of OpenModelDirectory.
absl::Status PackModel(const std::string& directory,
                       std::optional<WeightFormat> format,
                       const std::string& path, ThreadPool& pool,
                       const LoadProgress& progress);

}  // namespace apollo
