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

// Where the results of a row go.
struct RowPlace {
  const float* cosines;  // Of the row, followed by its sines.
  Bf16* q;               // Of the row.
  Bf16* keys;            // Of the row's block.
  Bf16* values;
  int token;  // Within the block.
};

__device__ __forceinline__ RowPlace PlaceOf(const HeadShape& shape,
                                            const float* angles,
                                            const std::int32_t* slots,
                                            const CacheLayer& cache, Bf16* q) {
  const std::size_t r = blockIdx.x;
  const int slot = slots[r];
  const std::size_t block = slot / kCacheTokens * cache.stride;
  return {angles + r * shape.head_size, q + r * shape.q_size(),
          cache.keys + block, cache.values + block, slot % kCacheTokens};
}

// Stores elements j and j + half of a head: of queries, then of keys, then of
// values. Rotates all but values.
__device__ __forceinline__ void StoreTwo(const HeadShape& shape, int head,
                                         int j, const Two& x2,
                                         const RowPlace& place) {
  const int size = shape.head_size;
  const int half = size / 2;
  if (head >= shape.heads + shape.kv_heads) {
    Bf16* const values = place.values + (head - shape.heads - shape.kv_heads) *
                                            kCacheTokens * size;
    values[ValueIndex(place.token, j)] = ToBf16(x2.a);
    values[ValueIndex(place.token, j + half)] = ToBf16(x2.b);
    return;
  }
  const float cosine = place.cosines[j], sine = place.cosines[half + j];
  const Bf16 a = ToBf16(x2.a * cosine - x2.b * sine);
  const Bf16 b = ToBf16(x2.b * cosine + x2.a * sine);
  if (head < shape.heads) {
    Bf16* const to = place.q + head * size;
    to[j] = a;
    to[j + half] = b;
  } else {
    Bf16* const keys = place.keys + (head - shape.heads) * kCacheTokens * size;
    keys[KeyIndex(place.token, j, size)] = a;
    keys[KeyIndex(place.token, j + half, size)] = b;
  }
}

// One block per row; a thread computes two elements of a head.
__global__ void __launch_bounds__(kThreads)
    RotateAndStoreKernel(const HeadShape shape, const float* qkv,
                         const float* bias, const float* angles,
                         const std::int32_t* slots, const CacheLayer cache,
                         Bf16* q) {
  const int size = shape.head_size;
  const int half = size / 2;
  const float* const x =
      qkv + static_cast<std::size_t>(blockIdx.x) * shape.qkv_size();
  const RowPlace place = PlaceOf(shape, angles, slots, cache, q);
  const int items = (shape.heads + 2 * shape.kv_heads) * half;
  for (int i = static_cast<int>(threadIdx.x); i < items; i += kThreads) {
    const int head = i / half;
    const int j = i % half;
    StoreTwo(shape, head, j, LoadTwo(x, bias, head * size + j, half), place);
  }
}

// The same with norms: one block per row, in which each warp computes a head at
// a time.
__global__ void __launch_bounds__(kThreads)
    NormRotateAndStoreKernel(const HeadShape shape, const float* qkv,
                             const float* bias, const HeadNorms norms,
                             const float* angles, const std::int32_t* slots,
                             const CacheLayer cache, Bf16* q) {
  const int size = shape.head_size;
  const int half = size / 2;
  const float* const x =
      qkv + static_cast<std::size_t>(blockIdx.x) * shape.qkv_size();
  const RowPlace place = PlaceOf(shape, angles, slots, cache, q);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int normed = shape.heads + shape.kv_heads;
  for (int head = static_cast<int>(threadIdx.x) / 32;
       head < normed + shape.kv_heads; head += kThreads / 32) {
    const float* const weight = head < shape.heads ? norms.q
                                : head < normed    ? norms.k
                                                   : nullptr;
    float sum = 0;
    for (int j = lane; weight != nullptr && j < half; j += 32) {
      const Two x2 = LoadTwo(x, bias, head * size + j, half);
      sum = __fmaf_rn(x2.a, x2.a, __fmaf_rn(x2.b, x2.b, sum));
    }
    const float mean = WarpSum(sum) / static_cast<float>(size);
    const float scale = 1.0f / sqrtf(mean + norms.eps);
    for (int j = lane; j < half; j += 32) {
      Two x2 = LoadTwo(x, bias, head * size + j, half);
      if (weight != nullptr) {
        x2.a = weight[j] * (x2.a * scale);
        x2.b = weight[j + half] * (x2.b * scale);
      }
      StoreTwo(shape, head, j, x2, place);
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
                            const float* bias, const HeadNorms& norms,
                            const float* angles, const std::int32_t* slots,
                            int rows, const CacheLayer& cache, Bf16* q,
                            cudaStream_t stream) {
  APOLLO_CHECK(rows >= 0 && cache.stride % 8 == 0);
  APOLLO_CHECK((norms.q == nullptr) == (norms.k == nullptr));
  if (rows == 0) return absl::OkStatus();
  if (norms.q != nullptr) {
    return Launch("storing of normed keys", NormRotateAndStoreKernel, rows,
                  kThreads, 0, stream, shape, qkv, bias, norms, angles, slots,
                  cache, q);
  }
  return Launch("storing of keys", RotateAndStoreKernel, rows, kThreads, 0,
                stream, shape, qkv, bias, angles, slots, cache, q);
}

}  // namespace apollo::cuda
