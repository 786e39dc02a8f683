#pragma once

#include <optional>
#include <string>

#include "kernels/attention.h"
#include "model/weights/weight_names.h"

namespace apollo {

// Version of the summation order of the CPU kernels. Incremented by every
// change that may alter the last bit of a result. See docs/kernels.md.
inline constexpr int kCpuSums = 1;

// Returns an identifier of everything but the model that determines the bits of
// a worker's results: device class, weight format, cache type and kCpuSums, for
// example "cpu/int8/f16/1". Sequences move only between workers with equal
// identifiers, and only such workers compute experts for each other.
// `weights`: the chosen format, or nullopt if the weights are kept as in the
// checkpoint.
std::string CpuNumerics(std::optional<WeightFormat> weights, CacheType cache);

}  // namespace apollo
