#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>

#include "kernels/weight_format.h"

namespace apollo {

// Returns the name of the format (kernels/weight_format.h), or "auto".
const char* WeightsName(std::optional<WeightFormat> format);

// Returns all names for the help of a flag: "auto (as in the checkpoint),
// float32, bf16, int8 or int4".
std::string WeightsHelp();

// Returns the format with this name, or INVALID_ARGUMENT listing the valid
// names.
absl::StatusOr<std::optional<WeightFormat>> WeightsByName(
    std::string_view name);

// Parses the flag --weights: "auto" (nullopt, the precision of the checkpoint)
// or the name of a format. Returns INVALID_ARGUMENT for any other, naming the
// flag.
absl::StatusOr<std::optional<WeightFormat>> ParseWeights(std::string_view name);

}  // namespace apollo
