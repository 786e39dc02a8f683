#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string_view>

namespace apollo {

// Which instructions the kernels may use, each level with all of those before.
enum class CpuLevel {
  kGeneric,     // What every x86-64 has (on other machines, Highway's own).
  kAvx2,        // AVX2, FMA and F16C.
  kAvx512,      // AVX-512 F, BW, CD, DQ and VL.
  kAvx512Vnni,  // Dot products of bytes.
  kAvx512Bf16,  // Dot products of bf16.
};
inline constexpr CpuLevel kCpuLevels[] = {
    CpuLevel::kGeneric, CpuLevel::kAvx2, CpuLevel::kAvx512,
    CpuLevel::kAvx512Vnni, CpuLevel::kAvx512Bf16};

// "generic", "avx2", "avx512", "avx512_vnni" or "avx512_bf16".
const char* CpuLevelName(CpuLevel level);

// The highest level of this machine.
CpuLevel BestCpuLevel();

// The level of this name. INVALID_ARGUMENT if there is none, or if this machine
// lacks it.
absl::StatusOr<CpuLevel> ParseCpuLevel(std::string_view name);

// The level that kernels use: the best unless another was set.
CpuLevel CurrentCpuLevel();

// Sets the level of the whole process, Highway's kernels too. Not while a
// kernel runs. The machine must have it.
void UseCpuLevel(CpuLevel level);

// Sets the level that the environment variable APOLLO_CPU_LEVEL names, if it is
// there and not empty. Errors as ParseCpuLevel's, naming the variable.
absl::Status UseCpuLevelOfEnvironment();

}  // namespace apollo
