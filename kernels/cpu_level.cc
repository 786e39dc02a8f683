#include "kernels/cpu_level.h"

#include <absl/strings/str_cat.h>
#include <hwy/highway.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "common/check.h"
#include "common/strings.h"

namespace apollo {
namespace {

#if HWY_ARCH_X86_64
// clang 14's __builtin_cpu_supports does not know F16C.
bool HasF16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

CpuLevel Detect() {
#if HWY_ARCH_X86_64
  // These checks include operating system support. (hwy::SupportedTargets is
  // not used because tests change it.)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
      !HasF16c()) {
    return CpuLevel::kGeneric;
  }
  if (!__builtin_cpu_supports("avx512f") ||
      !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512cd") ||
      !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vl")) {
    return CpuLevel::kAvx2;
  }
  if (!__builtin_cpu_supports("avx512vnni")) return CpuLevel::kAvx512;
  if (!__builtin_cpu_supports("avx512bf16")) return CpuLevel::kAvx512Vnni;
  return CpuLevel::kAvx512Bf16;
#else
  return CpuLevel::kGeneric;
#endif
}

// Returns Highway's targets above the level. Better targets have lower bits.
// Highway always keeps its baseline.
std::int64_t TargetsAbove(CpuLevel level) {
#if HWY_ARCH_X86_64
  switch (level) {
    case CpuLevel::kGeneric:
      return 2 * HWY_SSSE3 - 1;
    case CpuLevel::kAvx2:
      return HWY_AVX2 - 1;
    case CpuLevel::kAvx512:
      return HWY_AVX3 - 1;
    case CpuLevel::kAvx512Vnni:
    case CpuLevel::kAvx512Bf16:
      break;
  }
#endif
  return 0;
}

std::atomic<CpuLevel>& Current() {
  static std::atomic<CpuLevel> current = BestCpuLevel();
  return current;
}

}  // namespace

const char* CpuLevelName(CpuLevel level) {
  switch (level) {
    case CpuLevel::kGeneric:
      return "generic";
    case CpuLevel::kAvx2:
      return "avx2";
    case CpuLevel::kAvx512:
      return "avx512";
    case CpuLevel::kAvx512Vnni:
      return "avx512_vnni";
    case CpuLevel::kAvx512Bf16:
      return "avx512_bf16";
  }
  return "unknown";
}

CpuLevel BestCpuLevel() {
  static const CpuLevel best = Detect();
  return best;
}

absl::StatusOr<CpuLevel> ParseCpuLevel(std::string_view name) {
  for (const CpuLevel level : kCpuLevels) {
    if (name != CpuLevelName(level)) continue;
    if (level <= BestCpuLevel()) return level;
    return absl::InvalidArgumentError(
        absl::StrCat("the instruction set \"", ToAbsl(name),
                     "\" is not supported; this machine's best is ",
                     CpuLevelName(BestCpuLevel())));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", ToAbsl(name),
      "\" is not an instruction set; it must be generic, avx2, avx512, "
      "avx512_vnni or avx512_bf16"));
}

CpuLevel CurrentCpuLevel() { return Current().load(std::memory_order_relaxed); }

void UseCpuLevel(CpuLevel level) {
  APOLLO_CHECK(level <= BestCpuLevel());
  hwy::DisableTargets(TargetsAbove(level));
  Current().store(level, std::memory_order_relaxed);
}

absl::Status UseCpuLevelOfEnvironment() {
  const char* name = std::getenv("APOLLO_CPU_LEVEL");
  if (name == nullptr || *name == '\0') return absl::OkStatus();
  const absl::StatusOr<CpuLevel> level = ParseCpuLevel(name);
  if (!level.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("APOLLO_CPU_LEVEL: ", level.status().message()));
  }
  UseCpuLevel(*level);
  return absl::OkStatus();
}

}  // namespace apollo
