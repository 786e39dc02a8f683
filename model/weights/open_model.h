#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>

#include "model/config/model_config.h"
#include "model/weights/weight_source.h"

namespace apollo {

// A model directory that was opened and whose every tensor was checked against
// its config. No weight has been converted.
struct OpenModel {
  ModelConfig config;
  std::unique_ptr<WeightSource> weights;
  // The format of choice, or none: as in the checkpoint.
  std::optional<WeightFormat> format;
  // ModelHash (model_hash.h), with "+int8" behind it, say, if the weights are
  // served in a format of choice. Workers compare it when they link.
  std::string hash;
};

// Opens a checkpoint, to be served in the format (or its own, if none), or
// packed weights (PackModel), which are in one format for good. A checkpoint
// without a kept hash is read once for it (hash_file.h). NOT_FOUND,
// INVALID_ARGUMENT or UNIMPLEMENTED naming the file and what is wrong.
absl::StatusOr<OpenModel> OpenModelDirectory(
    const std::string& directory,
    std::optional<WeightFormat> format = std::nullopt);

}  // namespace apollo
