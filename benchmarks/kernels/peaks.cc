#include "benchmarks/kernels/peaks.h"

#include <atomic>
#include <cstdint>
#include <cstring>

#include "common/aligned_buffer.h"
#include "kernels/cpu_level.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace apollo {
namespace {

std::atomic<std::int64_t> sink{0};  // Keeps results alive.

#if defined(__x86_64__)
// Twelve accumulators in registers hide the latency of the instruction. The asm
// statements prevent the compiler from precomputing the loop.
#define APOLLO_PEAK(NAME, TARGET, TYPE, OPERATIONS, STEP)                      \
  __attribute__((target(TARGET))) double NAME(int rounds) {                    \
    TYPE a = {}, b = {}, s0 = {}, s1 = {}, s2 = {}, s3 = {}, s4 = {}, s5 = {}, \
         s6 = {}, s7 = {}, s8 = {}, s9 = {}, s10 = {}, s11 = {};               \
    for (int i = 0; i < rounds; ++i) {                                         \
      asm volatile(STEP : "+v"(s0) : "v"(a), "v"(b));                          \
      asm volatile(STEP : "+v"(s1) : "v"(a), "v"(b));                          \
      asm volatile(STEP : "+v"(s2) : "v"(a), "v"(b));                          \
      asm volatile(STEP : "+v"(s3) : "v"(a), "v"(b));                          \
      asm volatile(STEP : "+v"(s4) : "v"(a), "v"(b));                          \
      asm volatile(STEP : "+v"(s5) : "v"(a), "v"(b));                          \
      asm volatile(STEP : "+v"(s6) : "v"(a), "v"(b));                          \
      asm volatile(STEP : "+v"(s7) : "v"(a), "v"(b));                          \
      asm volatile(STEP : "+v"(s8) : "v"(a), "v"(b));                          \
      asm volatile(STEP : "+v"(s9) : "v"(a), "v"(b));                          \
      asm volatile(STEP : "+v"(s10) : "v"(a), "v"(b));                         \
      asm volatile(STEP : "+v"(s11) : "v"(a), "v"(b));                         \
    }                                                                          \
    return 12.0 * rounds * OPERATIONS;                                         \
  }

APOLLO_PEAK(Fma256, "avx2,fma", __m256, 16, "vfmadd231ps %2, %1, %0")
APOLLO_PEAK(Fma512, "avx512f", __m512, 32, "vfmadd231ps %2, %1, %0")
APOLLO_PEAK(Vnni512, "avx512f,avx512vnni", __m512i, 128, "vpdpbusd %2, %1, %0")
APOLLO_PEAK(Bf16512, "avx512f,avx512bf16", __m512, 64, "vdpbf16ps %2, %1, %0")
#undef APOLLO_PEAK
#endif

}  // namespace

double ReadPeak(ThreadPool& pool, const Timer& time) {
  constexpr std::int64_t kBytes = std::int64_t{128} << 20;
  AlignedBuffer buffer(kBytes);
  std::memset(buffer.as<char>(), 1, kBytes);
  const double seconds = time([&] {
    pool.ParallelFor(kBytes / 64, 1024,
                     [&](std::int64_t begin, std::int64_t end) {
                       // Reads one number per cache line. Eight accumulators
                       // let loads overlap.
                       const std::uint64_t* at = buffer.as<std::uint64_t>();
                       std::uint64_t sums[8] = {};
                       for (std::int64_t i = begin; i + 8 <= end; i += 8) {
                         for (int j = 0; j < 8; ++j) sums[j] += at[(i + j) * 8];
                       }
                       for (const std::uint64_t sum : sums) sink += sum;
                     });
  });
  return static_cast<double>(kBytes) / seconds;
}

double Peak::Measure(ThreadPool& pool, const Timer& time) const {
  constexpr int kRounds = 1 << 17;
  const int parts = 4 * pool.threads();
  const double seconds = time([&] {
    pool.ParallelFor(parts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) kernel(kRounds);
    });
  });
  return kernel(1) * kRounds * parts / seconds;
}

std::vector<Peak> ArithmeticPeaks() {
  std::vector<Peak> peaks;
#if defined(__x86_64__)
  const CpuLevel level = BestCpuLevel();
  if (level >= CpuLevel::kAvx2) peaks.push_back({"float32 AVX2", Fma256});
  if (level >= CpuLevel::kAvx512) peaks.push_back({"float32 AVX-512", Fma512});
  if (level >= CpuLevel::kAvx512Vnni) peaks.push_back({"int8 VNNI", Vnni512});
  if (level >= CpuLevel::kAvx512Bf16) peaks.push_back({"bf16", Bf16512});
#endif
  return peaks;
}

}  // namespace apollo
