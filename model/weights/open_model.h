#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/config/model_config.h"
#include "model/weights/weight_source.h"

namespace apollo {

// An opened model directory. Every tensor has been checked against the config;
// no weight has been converted.
struct OpenModel {
  ModelConfig config;
  std::unique_ptr<WeightSource> weights;
  // The chosen format, or nullopt if the weights are kept as in the checkpoint.
  std::optional<WeightFormat> format;
  // Without a chosen format: the first matrix that is not in bf16, so that it
  // is kept in float32. Empty if there is none.
  std::string float32_matrix;
  // ModelHash (model_hash.h), followed by the format, such as "+int8", if one
  // was chosen. Workers compare it when they link.
  std::string hash;
  // Sentences about unknown keys and tensors and about contradictions. Pass
  // them to ReportModelWarnings.
  std::vector<std::string> warnings;
};

// Opens a checkpoint, to be served in `format` (or its own if nullopt), or
// packed weights (PackModel), whose format is fixed. A checkpoint without a
// cached hash is read once to compute it (hash_file.h). Returns NOT_FOUND,
// INVALID_ARGUMENT or UNIMPLEMENTED naming the file and the error.
absl::StatusOr<OpenModel> OpenModelDirectory(
    const std::string& directory,
    std::optional<WeightFormat> format = std::nullopt);

}  // namespace apollo
