#pragma once

#include <optional>
#include <string>

#include "kernels/attention.h"
#include "model/weights/weight_names.h"

namespace apollo {

// The version of the order in which the CPU kernels sum: it rises with every
// change after which some result may differ in its last bit. docs/kernels.md.
inline constexpr int kCpuSums = 1;

// Returns what decides on the bits of a worker's results besides the model: the
// class of device, the format of the weights and of the cache, and the version
// of the sums, such as "cpu/int8/f16/1". Sequences move only between workers
// with equal ids, and only such workers compute experts for each other.
// `weights`: the format of choice, or none: as in the checkpoint.
std::string CpuNumerics(std::optional<WeightFormat> weights, CacheType cache);

}  // namespace apollo
