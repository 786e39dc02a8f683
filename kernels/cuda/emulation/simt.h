#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "common/check.h"
#include "kernels/cuda/emulation/blocks.h"
#include "kernels/half.h"

// What the kernels use of CUDA C++, on the host. The same sources are compiled
// for GPUs by nvcc, and for tests without a GPU with this header: it executes
// their indices, barriers and orders of summation. Differences: a matrix
// instruction adds its 16 products one by one, and copies to shared memory
// happen at once.
#define __device__
#define __host__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static

struct alignas(16) uint4 {
  std::uint32_t x, y, z, w;
};
struct alignas(8) uint2 {
  std::uint32_t x, y;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct dim3 {
  unsigned x, y;
  dim3(unsigned x_size, unsigned y_size = 1) : x(x_size), y(y_size) {}
};
inline uint4 make_uint4(std::uint32_t x, std::uint32_t y, std::uint32_t z,
                        std::uint32_t w) {
  return {x, y, z, w};
}
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) {
  return {x, y, z, w};
}

#define threadIdx ::apollo::cuda::emulation::thread_index
#define blockIdx ::apollo::cuda::emulation::block_index

namespace apollo::cuda {

using std::isnan;
using std::max;
using std::min;

inline void __syncthreads() { emulation::BlockBarrier(); }
inline void __syncwarp() { emulation::Exchange("", 1); }

template <typename T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  const unsigned lane = (threadIdx.x % 32) ^ static_cast<unsigned>(mask);
  const std::byte* const all = emulation::Exchange(&value, sizeof(T));
  std::memcpy(&value, all + lane * emulation::kLaneBytes, sizeof(T));
  return value;
}
inline unsigned __ballot_sync(unsigned, bool predicate) {
  const std::byte* const all = emulation::Exchange(&predicate, 1);
  unsigned bits = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (all[lane * emulation::kLaneBytes] != std::byte{0}) bits |= 1u << lane;
  }
  return bits;
}
inline bool __any_sync(unsigned mask, bool predicate) {
  return __ballot_sync(mask, predicate) != 0;
}

// A GPU faults if the address is no multiple of the size.
template <typename T>
const T* Aligned(const void* p) {
  APOLLO_CHECK(reinterpret_cast<std::uintptr_t>(p) % sizeof(T) == 0);
  return static_cast<const T*>(p);
}
template <typename T>
T __ldg(const T* p) {
  return *Aligned<T>(p);
}
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float a) { return std::exp(a); }
inline int __popc(unsigned bits) { return std::popcount(bits); }
inline float __uint_as_float(std::uint32_t bits) {
  return std::bit_cast<float>(bits);
}
inline std::uint32_t __float_as_uint(float x) {
  return std::bit_cast<std::uint32_t>(x);
}
inline std::uint32_t __byte_perm(std::uint32_t low, std::uint32_t high,
                                 unsigned selector) {
  const std::uint64_t bytes = std::uint64_t{high} << 32 | low;
  std::uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    const unsigned from = selector >> (4 * i) & 7;
    result |= static_cast<std::uint32_t>(bytes >> (8 * from) & 0xff) << (8 * i);
  }
  return result;
}

// The primitives of simt.cuh.

inline std::uint16_t ToBf16(float x) { return Bf16BitsFromF32(x); }
inline std::uint32_t PackBf16(float low, float high) {
  return ToBf16(low) | static_cast<std::uint32_t>(ToBf16(high)) << 16;
}
inline float LowBf16(std::uint32_t pair) { return __uint_as_float(pair << 16); }
inline float HighBf16(std::uint32_t pair) {
  return __uint_as_float(pair & 0xffff0000u);
}
inline std::uint32_t SubtractBf16(std::uint32_t a, std::uint32_t b) {
  return PackBf16(LowBf16(a) - LowBf16(b), HighBf16(a) - HighBf16(b));
}
inline float LowF16(std::uint32_t pair) {
  return F32FromF16Bits(static_cast<std::uint16_t>(pair));
}
inline float HighF16(std::uint32_t pair) {
  return F32FromF16Bits(static_cast<std::uint16_t>(pair >> 16));
}

// Follows the tables of the PTX manual for mma.m16n8k16: with g = lane / 4 and
// t = lane % 4, register i of A holds row g + 8 * (i % 2), columns 2t + 8 * (i
// / 2) and the next; register i of B holds column g, rows 2t + 8 * i and the
// next.
inline void Mma(float (&c)[4], std::uint32_t a0, std::uint32_t a1,
                std::uint32_t a2, std::uint32_t a3, std::uint32_t b0,
                std::uint32_t b1) {
  const std::uint32_t own[6] = {a0, a1, a2, a3, b0, b1};
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const std::byte* const all = emulation::Exchange(own, sizeof(own));
  const auto number = [all](int from, int i, int half) {
    std::uint32_t word;
    std::memcpy(&word, all + from * emulation::kLaneBytes + 4 * i, 4);
    return half == 0 ? LowBf16(word) : HighBf16(word);
  };
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + 8 * (i / 2);
    const int column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < 16; ++k) {
      const int t = k % 8 / 2;
      c[i] += number(row % 8 * 4 + t, row / 8 + 2 * (k / 8), k % 2) *
              number(column * 4 + t, 4 + k / 8, k % 2);
    }
  }
}

inline uint4 LoadOnce(const void* p) { return *Aligned<uint4>(p); }
inline uint2 LoadOnce8(const void* p) { return *Aligned<uint2>(p); }
inline void CopyAsync(void* shared, const void* global) {
  std::memcpy(const_cast<uint4*>(Aligned<uint4>(shared)),
              Aligned<uint4>(global), 16);
}
inline void CommitCopies() {}
template <int>
void AwaitCopies() {}

template <typename T>
T* DynamicShared() {
  return static_cast<T*>(emulation::DynamicSharedMemory());
}

}  // namespace apollo::cuda
