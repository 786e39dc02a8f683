#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string_view>

#include "kernels/packed_matrix.h"

namespace apollo {

// "float32", "bf16", "int8" or "int4"; "auto" for none.
const char* WeightsName(std::optional<WeightFormat> format);

// The format of that name. INVALID_ARGUMENT, saying which there are.
absl::StatusOr<std::optional<WeightFormat>> WeightsByName(
    std::string_view name);

// The flag --weights: "auto" (nothing, the checkpoint's own precision) or the
// name of a format. INVALID_ARGUMENT for any other, naming the flag.
absl::StatusOr<std::optional<WeightFormat>> ParseWeights(std::string_view name);

}  // namespace apollo
