#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>

#include "kernels/weight_format.h"

namespace apollo {

// The name of the format (kernels/weight_format.h); "auto" for none.
const char* WeightsName(std::optional<WeightFormat> format);

// All names, for the help of a flag: "auto (as in the checkpoint), float32,
// bf16, int8 or int4".
std::string WeightsHelp();

// The format of that name. INVALID_ARGUMENT, saying which there are.
absl::StatusOr<std::optional<WeightFormat>> WeightsByName(
    std::string_view name);

// The flag --weights: "auto" (nothing, the checkpoint's own precision) or the
// name of a format. INVALID_ARGUMENT for any other, naming the flag.
absl::StatusOr<std::optional<WeightFormat>> ParseWeights(std::string_view name);

}  // namespace apollo
