#pragma once

#include <optional>
#include <string>

#include "kernels/attention.h"
#include "model/weights/weight_names.h"

namespace apollo {

// Version of the summation order of the CPU kernels. Incremented by every
// change that may alter the last bit of a result. See docs/kernels.md.
inline constexpr int kCpuSums = 1;

// The same for the CUDA kernels and stages.
inline constexpr int kCudaSums = 1;

// Return an identifier of everything but the model that determines the bits of
// a worker's results: device class, weight format, cache type and version of
// the sums, for example "cpu/int8/f16/1" or "cuda/sm_90/bf16/bf16/1". Sequences
// move only between workers with equal identifiers, and only such workers
// compute experts for each other.
//
// `weights`: the chosen format, or nullopt if the weights are kept as in the
// checkpoint.
std::string CpuNumerics(std::optional<WeightFormat> weights, CacheType cache);
// `major`, `minor`: the compute capability. GPUs of another one may round
// otherwise in their matrix instructions.
std::string CudaNumerics(int major, int minor, WeightFormat weights,
                         CacheType cache);

}  // namespace apollo
