#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string_view>

namespace apollo {

// Instruction sets for the kernels. Each level includes all levels before it.
enum class CpuLevel {
  kGeneric,     // Baseline x86-64 (elsewhere, Highway's baseline).
  kAvx2,        // AVX2, FMA and F16C.
  kAvx512,      // AVX-512 F, BW, CD, DQ and VL.
  kAvx512Vnni,  // Adds byte dot products.
  kAvx512Bf16,  // Adds bf16 dot products.
};
inline constexpr CpuLevel kCpuLevels[] = {
    CpuLevel::kGeneric, CpuLevel::kAvx2, CpuLevel::kAvx512,
    CpuLevel::kAvx512Vnni, CpuLevel::kAvx512Bf16};

// Returns "generic", "avx2", "avx512", "avx512_vnni" or "avx512_bf16".
const char* CpuLevelName(CpuLevel level);

// Returns the highest level that this machine supports.
CpuLevel BestCpuLevel();

// Parses a level name. Returns INVALID_ARGUMENT if the name is unknown or this
// machine does not support the level.
absl::StatusOr<CpuLevel> ParseCpuLevel(std::string_view name);

// Returns the level in use: the best one unless another was set.
CpuLevel CurrentCpuLevel();

// Sets the level for the whole process, including Highway's kernels. The
// machine must support it. Must not be called while a kernel runs.
void UseCpuLevel(CpuLevel level);

// Sets the level named by the environment variable APOLLO_CPU_LEVEL, if that is
// set and not empty. Returns the errors of ParseCpuLevel, prefixed with the
// name of the variable.
absl::Status UseCpuLevelOfEnvironment();

}  // namespace apollo
