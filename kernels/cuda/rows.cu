#include <absl/strings/str_cat.h>

#include "common/check.h"
#include "kernels/cuda/device.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/rows.h"
#include "kernels/cuda/simt.cuh"

namespace apollo::cuda {
namespace {

constexpr int kThreads = 256;

// Eight numbers, and their places.
struct Eight {
  float x[8];
};

__device__ __forceinline__ Eight Load(const float* p) {
  const float4 a = reinterpret_cast<const float4*>(p)[0];
  const float4 b = reinterpret_cast<const float4*>(p)[1];
  return {{a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w}};
}
__device__ __forceinline__ Eight Load(const Bf16* p) {
  const uint4 v = *reinterpret_cast<const uint4*>(p);
  return {{LowBf16(v.x), HighBf16(v.x), LowBf16(v.y), HighBf16(v.y),
           LowBf16(v.z), HighBf16(v.z), LowBf16(v.w), HighBf16(v.w)}};
}
__device__ __forceinline__ void Store(const Eight& e, float* p) {
  reinterpret_cast<float4*>(p)[0] = make_float4(e.x[0], e.x[1], e.x[2], e.x[3]);
  reinterpret_cast<float4*>(p)[1] = make_float4(e.x[4], e.x[5], e.x[6], e.x[7]);
}
__device__ __forceinline__ void Store(const Eight& e, Bf16* p) {
  *reinterpret_cast<uint4*>(p) =
      make_uint4(PackBf16(e.x[0], e.x[1]), PackBf16(e.x[2], e.x[3]),
                 PackBf16(e.x[4], e.x[5]), PackBf16(e.x[6], e.x[7]));
}

// out[target[r]] = x[source[r]]; null indices mean r. One block per row.
template <typename From, typename To>
__global__ void __launch_bounds__(kThreads)
    CopyRowsKernel(const From* x, const std::int32_t* source, int size,
                   const std::int32_t* target, To* out) {
  const int r = static_cast<int>(blockIdx.x);
  const std::size_t from = source != nullptr ? source[r] : r;
  const std::size_t to = target != nullptr ? target[r] : r;
  for (int i = static_cast<int>(threadIdx.x) * 8; i < size; i += kThreads * 8) {
    Store(Load(x + from * size + i), out + to * size + i);
  }
}

template <typename From, typename To>
__global__ void __launch_bounds__(kThreads)
    ConvertKernel(const From* x, std::int64_t count, To* out) {
  const std::int64_t i =
      (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * 8;
  if (i < count) Store(Load(x + i), out + i);
}

__global__ void __launch_bounds__(kThreads)
    RmsNormKernel(const float* x, const std::int32_t* source, int size,
                  const float* weight, float eps, Bf16* out) {
  const int r = static_cast<int>(blockIdx.x);
  const float* const row =
      x + static_cast<std::size_t>(source != nullptr ? source[r] : r) * size;
  const int first = static_cast<int>(threadIdx.x) * 8;
  float sum = 0;
  for (int i = first; i < size; i += kThreads * 8) {
    const Eight v = Load(row + i);
#pragma unroll
    for (const float number : v.x) sum = __fmaf_rn(number, number, sum);
  }
  const float mean = BlockSum<kThreads>(sum) / static_cast<float>(size);
  const float scale = 1.0f / sqrtf(mean + eps);
  for (int i = first; i < size; i += kThreads * 8) {
    Eight v = Load(row + i);
    const Eight w = Load(weight + i);
#pragma unroll
    for (int j = 0; j < 8; ++j) v.x[j] = w.x[j] * (v.x[j] * scale);
    Store(v, out + static_cast<std::size_t>(r) * size + i);
  }
}

// One block per row.
__global__ void __launch_bounds__(kThreads)
    AddBiasKernel(const float* bias, int size, float* x) {
  float* const row = x + static_cast<std::size_t>(blockIdx.x) * size;
  for (int i = static_cast<int>(threadIdx.x) * 8; i < size; i += kThreads * 8) {
    Eight v = Load(row + i);
    const Eight b = Load(bias + i);
#pragma unroll
    for (int j = 0; j < 8; ++j) v.x[j] += b.x[j];
    Store(v, row + i);
  }
}

template <typename From, typename To>
absl::Status CopyRows(const From* x, const std::int32_t* source, int rows,
                      int size, const std::int32_t* target, To* out,
                      cudaStream_t stream) {
  APOLLO_CHECK(rows >= 0 && size % 8 == 0);
  if (rows == 0) return absl::OkStatus();
  return Launch("copying rows", CopyRowsKernel<From, To>, rows, kThreads, 0,
                stream, x, source, size, target, out);
}

template <typename From, typename To>
absl::Status Convert(const From* x, std::int64_t count, To* out,
                     cudaStream_t stream) {
  APOLLO_CHECK(count >= 0 && count % 8 == 0);
  if (count == 0) return absl::OkStatus();
  constexpr std::int64_t kBlock = kThreads * 8;
  const auto blocks = static_cast<unsigned>((count + kBlock - 1) / kBlock);
  return Launch("converting numbers", ConvertKernel<From, To>, blocks, kThreads,
                0, stream, x, count, out);
}

}  // namespace

absl::Status CheckRowSize(int size) {
  if (size > 0 && size % 8 == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("rows have ", size,
                   " numbers; on GPUs it must be a positive multiple of 8"));
}

absl::Status Embed(const Bf16* table, const std::int32_t* tokens, int rows,
                   int size, float* out, cudaStream_t stream) {
  return CopyRows(table, tokens, rows, size, nullptr, out, stream);
}

absl::Status AddBias(const float* bias, int rows, int size, float* x,
                     cudaStream_t stream) {
  APOLLO_CHECK(rows >= 0 && size % 8 == 0);
  if (rows == 0) return absl::OkStatus();
  return Launch("addition of a bias", AddBiasKernel, rows, kThreads, 0, stream,
                bias, size, x);
}

absl::Status RmsNorm(const float* x, const std::int32_t* source, int rows,
                     int size, const float* weight, float eps, Bf16* out,
                     cudaStream_t stream) {
  APOLLO_CHECK(rows >= 0 && size % 8 == 0);
  if (rows == 0) return absl::OkStatus();
  return Launch("normalisation", RmsNormKernel, rows, kThreads, 0, stream, x,
                source, size, weight, eps, out);
}

absl::Status GatherRows(const Bf16* x, const std::int32_t* source, int rows,
                        int size, Bf16* out, cudaStream_t stream) {
  return CopyRows(x, source, rows, size, nullptr, out, stream);
}

absl::Status GatherRows(const float* x, const std::int32_t* source, int rows,
                        int size, float* out, cudaStream_t stream) {
  return CopyRows(x, source, rows, size, nullptr, out, stream);
}

absl::Status ScatterRows(const float* x, const std::int32_t* target, int rows,
                         int size, float* out, cudaStream_t stream) {
  return CopyRows(x, nullptr, rows, size, target, out, stream);
}

absl::Status RoundRows(const float* x, const std::int32_t* target, int rows,
                       int size, Bf16* out, cudaStream_t stream) {
  return CopyRows(x, nullptr, rows, size, target, out, stream);
}

absl::Status Widen(const Bf16* x, std::int64_t count, float* out,
                   cudaStream_t stream) {
  return Convert(x, count, out, stream);
}

absl::Status Round(const float* x, std::int64_t count, Bf16* out,
                   cudaStream_t stream) {
  return Convert(x, count, out, stream);
}

}  // namespace apollo::cuda
