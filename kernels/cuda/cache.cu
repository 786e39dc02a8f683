#include <absl/strings/str_cat.h>

#include "common/check.h"
#include "kernels/cuda/cache.h"
#include "kernels/cuda/cache_index.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/simt.cuh"

namespace apollo::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    RotaryAnglesKernel(const std::int32_t* positions, int rows,
                       const RotaryFrequencies frequencies, int half,
                       float* angles) {
  const std::int64_t i =
      static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= static_cast<std::int64_t>(rows) * half) return;
  const std::int64_t r = i / half;
  const int j = static_cast<int>(i % half);
  const float angle =
      __fmul_rn(static_cast<float>(positions[r]), frequencies.inverse[j]);
  float sine, cosine;
  sincosf(angle, &sine, &cosine);
  angles[r * 2 * half + j] = __fmul_rn(cosine, frequencies.scale);
  angles[r * 2 * half + half + j] = __fmul_rn(sine, frequencies.scale);
}

// Two elements of a head, `half` apart, with their bias.
struct Two {
  float a, b;
};

__device__ __forceinline__ Two LoadTwo(const float* x, const float* bias,
                                       int at, int half) {
  Two two = {x[at], x[at + half]};
  if (bias != nullptr) {
    two.a += bias[at];
    two.b += bias[at + half];
  }
  return two;
}

// One block per row; a thread computes two elements of a head.
__global__ void __launch_bounds__(kThreads)
    RotateAndStoreKernel(const HeadShape shape, const float* qkv,
                         const float* bias, const float* angles,
                         const std::int32_t* slots, const CacheLayer cache,
                         Bf16* q) {
  const std::size_t r = blockIdx.x;
  const int size = shape.head_size;
  const int half = size / 2;
  const float* const x = qkv + r * shape.qkv_size();
  const float* const cosines = angles + r * size;
  const int slot = slots[r];
  const int token = slot % kCacheTokens;
  const std::size_t block = slot / kCacheTokens * cache.stride;
  const int items = (shape.heads + 2 * shape.kv_heads) * half;
  for (int i = static_cast<int>(threadIdx.x); i < items; i += kThreads) {
    const int head = i / half;  // Of queries, then of keys, then of values.
    const int j = i % half;
    const Two x2 = LoadTwo(x, bias, head * size + j, half);
    if (head >= shape.heads + shape.kv_heads) {
      Bf16* const values =
          cache.values + block +
          (head - shape.heads - shape.kv_heads) * kCacheTokens * size;
      values[ValueIndex(token, j)] = ToBf16(x2.a);
      values[ValueIndex(token, j + half)] = ToBf16(x2.b);
      continue;
    }
    const float cosine = cosines[j], sine = cosines[half + j];
    const Bf16 a = ToBf16(x2.a * cosine - x2.b * sine);
    const Bf16 b = ToBf16(x2.b * cosine + x2.a * sine);
    if (head < shape.heads) {
      Bf16* const to = q + r * shape.q_size() + head * size;
      to[j] = a;
      to[j + half] = b;
    } else {
      Bf16* const keys =
          cache.keys + block + (head - shape.heads) * kCacheTokens * size;
      keys[KeyIndex(token, j, size)] = a;
      keys[KeyIndex(token, j + half, size)] = b;
    }
  }
}

}  // namespace

absl::Status CheckHeadShape(const HeadShape& shape) {
  const int size = shape.head_size;
  if (size != 32 && size != 64 && size != 96 && size != 128) {
    return absl::InvalidArgumentError(absl::StrCat(
        "head_size is ", size, "; on GPUs it must be 32, 64, 96 or 128"));
  }
  if (shape.kv_heads < 1 || shape.kv_heads > 65535 || shape.heads < 1 ||
      shape.heads % shape.kv_heads != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "there are ", shape.heads, " heads and ", shape.kv_heads,
        " kv heads; the second must be from 1 to 65535 and divide the first"));
  }
  return absl::OkStatus();
}

absl::Status RotaryAngles(const std::int32_t* positions, int rows,
                          const RotaryFrequencies& frequencies, int head_size,
                          float* angles, cudaStream_t stream) {
  APOLLO_CHECK(rows >= 0 && head_size % 2 == 0);
  if (rows == 0) return absl::OkStatus();
  const int half = head_size / 2;
  const std::int64_t count = static_cast<std::int64_t>(rows) * half;
  const auto blocks = static_cast<unsigned>((count + kThreads - 1) / kThreads);
  return Launch("rotary angles", RotaryAnglesKernel, blocks, kThreads, 0,
                stream, positions, rows, frequencies, half, angles);
}

absl::Status RotateAndStore(const HeadShape& shape, const float* qkv,
                            const float* bias, const float* angles,
                            const std::int32_t* slots, int rows,
                            const CacheLayer& cache, Bf16* q,
                            cudaStream_t stream) {
  APOLLO_CHECK(rows >= 0 && cache.stride % 8 == 0);
  if (rows == 0) return absl::OkStatus();
  return Launch("storing of keys", RotateAndStoreKernel, rows, kThreads, 0,
                stream, shape, qkv, bias, angles, slots, cache, q);
}

}  // namespace apollo::cuda
