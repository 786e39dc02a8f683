#pragma once

#include <cstddef>
#include <cstdint>

// Instructions that CUDA C++ does not offer, and small helpers of the kernels.
// Tests without a GPU use emulation/simt.h instead of CUDA.
#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace apollo::cuda {

// c += a * b with mma.m16n8k16: a [16, 16], b [16, 8], c [16, 8]. Lane 4g + t
// holds c[g][2t], c[g][2t + 1], c[g + 8][2t], c[g + 8][2t + 1].
__device__ __forceinline__ void Mma(float (&c)[4], std::uint32_t a0,
                                    std::uint32_t a1, std::uint32_t a2,
                                    std::uint32_t a3, std::uint32_t b0,
                                    std::uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// Loads 16 bytes that no kernel writes meanwhile, and that are not used again:
// they bypass L1.
__device__ __forceinline__ uint4 LoadOnce(const void* p) {
  uint4 v;
  asm("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
      : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
      : "l"(p));
  return v;
}

// The same with 8 bytes.
__device__ __forceinline__ uint2 LoadOnce8(const void* p) {
  uint2 v;
  asm("ld.global.nc.L1::no_allocate.L2::256B.v2.u32 {%0, %1}, [%2];"
      : "=r"(v.x), "=r"(v.y)
      : "l"(p));
  return v;
}

// Copies 16 bytes from global to shared memory in the background.
__device__ __forceinline__ void CopyAsync(void* shared, const void* global) {
  const auto to = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(to),
               "l"(global)
               : "memory");
}
__device__ __forceinline__ void CommitCopies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
// Waits until at most `kPending` of the committed groups are unfinished.
template <int kPending>
__device__ __forceinline__ void AwaitCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// Rounds two numbers to nearest even; `low` goes to the low half.
__device__ __forceinline__ std::uint32_t PackBf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const std::uint32_t*>(&pair);
}
__device__ __forceinline__ std::uint16_t ToBf16(float x) {
  return __bfloat16_as_ushort(__float2bfloat16_rn(x));
}
__device__ __forceinline__ float LowBf16(std::uint32_t pair) {
  return __uint_as_float(pair << 16);
}
__device__ __forceinline__ float HighBf16(std::uint32_t pair) {
  return __uint_as_float(pair & 0xffff0000u);
}

// Subtracts pairs of bf16.
__device__ __forceinline__ std::uint32_t SubtractBf16(std::uint32_t a,
                                                      std::uint32_t b) {
  const __nv_bfloat162 difference =
      __hsub2(*reinterpret_cast<const __nv_bfloat162*>(&a),
              *reinterpret_cast<const __nv_bfloat162*>(&b));
  return *reinterpret_cast<const std::uint32_t*>(&difference);
}
__device__ __forceinline__ float LowF16(std::uint32_t pair) {
  return __low2float(*reinterpret_cast<const __half2*>(&pair));
}
__device__ __forceinline__ float HighF16(std::uint32_t pair) {
  return __high2float(*reinterpret_cast<const __half2*>(&pair));
}

// Returns the block's dynamic shared memory.
template <typename T>
__device__ __forceinline__ T* DynamicShared() {
  extern __shared__ __align__(128) std::byte dynamic_shared[];
  return reinterpret_cast<T*>(dynamic_shared);
}

}  // namespace apollo::cuda
#else
#include "kernels/cuda/emulation/simt.h"
#endif

namespace apollo::cuda {

// Sums over the lanes of a warp, in a fixed order, in all lanes.
__device__ __forceinline__ float WarpSum(float x) {
#pragma unroll
  for (int i = 16; i > 0; i /= 2) x += __shfl_xor_sync(~0u, x, i);
  return x;
}

// Sums over the threads of a block of `kThreads` threads, in a fixed order, in
// all threads.
template <int kThreads>
__device__ __forceinline__ float BlockSum(float x) {
  __shared__ float sums[kThreads / 32];
  x = WarpSum(x);
  __syncthreads();  // An earlier sum may still be in use.
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = x;
  __syncthreads();
  float sum = sums[0];
#pragma unroll
  for (int w = 1; w < kThreads / 32; ++w) sum += sums[w];
  return sum;
}

}  // namespace apollo::cuda
