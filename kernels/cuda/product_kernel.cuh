#pragma once

#include <cstdint>

#include "kernels/cuda/product.h"
#include "kernels/cuda/product_index.h"
#include "kernels/cuda/simt.cuh"
#include "kernels/cuda/weight_index.h"

// The parts that all kernels of products share: their arguments, the fragments
// of the weights, and the use of the sums.
namespace apollo::cuda {

// The arguments of a kernel, of a plain or a grouped product.
struct ProductArguments {
  const void* w = nullptr;  // Of a plain product.
  int outputs = 0;
  int groups = 0;                         // Of inputs.
  const void* const* weights = nullptr;   // Of a grouped product, or null.
  const std::int32_t* offsets = nullptr;  // Likewise.
  int experts = 0;
  const std::int32_t* source = nullptr;
  const std::int32_t* target = nullptr;
  const Bf16* x = nullptr;
  int x_stride = 0;
  int rows = 0;  // Of a plain product.
  Epilogue epilogue = Epilogue::kStore;
  const float* bias = nullptr;
  void* out = nullptr;
  int out_stride = 0;

  // Returns the matrix of the tile's rows, or null if there is nothing to do.
  __device__ const void* Find(int tile, int tile_rows, RowTile* found) const {
    if (offsets == nullptr) {
      const int first = tile * tile_rows;
      *found = {0, first, min(tile_rows, rows - first)};
      return w;
    }
    *found = FindRowTile(offsets, experts, tile_rows, tile);
    return found->expert < 0 ? nullptr : weights[found->expert];
  }
  // Returns the inputs of row `row` of a tile. Rows beyond its end get those of
  // its last row: their results are dropped.
  __device__ const Bf16* Input(const RowTile& tile, int row) const {
    const int p = tile.first + min(row, tile.rows - 1);
    return x + static_cast<std::size_t>(source != nullptr ? source[p] : p) *
                   x_stride;
  }
};

// The sums of inputs that a format's Multiply takes: none, except in int4.
template <WeightFormat kFormat>
struct InputSums {
  __device__ __forceinline__ explicit InputSums(const uint4&) {}
};

// The sums of a group's 32 inputs, for the two rows whose products the lane
// holds. `x`: a lane's 8 inputs of one row.
template <>
struct InputSums<WeightFormat::kInt4> {
  float first, second;

  __device__ __forceinline__ explicit InputSums(const uint4& x) {
    constexpr std::uint32_t kOnes = 0x3f803f80u;
    float sums[4] = {};
    Mma(sums, kOnes, kOnes, kOnes, kOnes, x.x, x.y);
    Mma(sums, kOnes, kOnes, kOnes, kOnes, x.z, x.w);
    first = sums[0];
    second = sums[1];
  }
};

// The weights of 16 outputs and 32 inputs, as a lane needs them.
template <WeightFormat kFormat>
struct Fragment;

template <>
struct Fragment<WeightFormat::kBF16> {
  static constexpr int kBlock = kBf16Block;
  uint4 step[2];

  __device__ __forceinline__ void LoadGlobal(const std::byte* block, int lane) {
    step[0] = LoadOnce(block + lane * 16);
    step[1] = LoadOnce(block + 512 + lane * 16);
  }
  __device__ __forceinline__ void LoadShared(const std::byte* block, int lane) {
    step[0] = *reinterpret_cast<const uint4*>(block + lane * 16);
    step[1] = *reinterpret_cast<const uint4*>(block + 512 + lane * 16);
  }
  // c += w * x, where x holds a lane's 8 inputs of one row.
  __device__ __forceinline__ void Multiply(
      const uint4& x, const InputSums<WeightFormat::kBF16>&,
      float (&c)[4]) const {
    Mma(c, step[0].x, step[0].y, step[0].z, step[0].w, x.x, x.y);
    Mma(c, step[1].x, step[1].y, step[1].z, step[1].w, x.z, x.w);
  }
};

// Sums of a group are exact multiples of its scale: q * x is summed from zero,
// then c = fma(sum, scale, c).
template <>
struct Fragment<WeightFormat::kInt8> {
  static constexpr int kBlock = kInt8Block;
  uint4 numbers;
  std::uint32_t scales;

  __device__ __forceinline__ void LoadGlobal(const std::byte* block, int lane) {
    numbers = LoadOnce(block + lane * 16);
    scales =
        __ldg(reinterpret_cast<const std::uint32_t*>(block + kInt8Numbers) +
              lane / 4);
  }
  __device__ __forceinline__ void LoadShared(const std::byte* block, int lane) {
    numbers = *reinterpret_cast<const uint4*>(block + lane * 16);
    scales =
        reinterpret_cast<const std::uint32_t*>(block + kInt8Numbers)[lane / 4];
  }
  // Returns bytes `kLow` and `kLow` + 1 of a word as bf16. With 0x43 as the
  // high byte, the low 7 bits of a byte give 128 + bits, and its sign bit 128
  // or 256; the difference is the number.
  template <int kLow>
  static __device__ __forceinline__ std::uint32_t Widen(std::uint32_t word) {
    const std::uint32_t spread =
        __byte_perm(word, 0x43434343u, kLow == 0 ? 0x4140 : 0x4342);
    return SubtractBf16(spread & 0xff7fff7fu, spread & 0xff80ff80u);
  }
  __device__ __forceinline__ void Multiply(
      const uint4& x, const InputSums<WeightFormat::kInt8>&,
      float (&c)[4]) const {
    float sum[4] = {};
    Mma(sum, Widen<0>(numbers.x), Widen<2>(numbers.x), Widen<0>(numbers.y),
        Widen<2>(numbers.y), x.x, x.y);
    Mma(sum, Widen<0>(numbers.z), Widen<2>(numbers.z), Widen<0>(numbers.w),
        Widen<2>(numbers.w), x.z, x.w);
    const float low = LowF16(scales), high = HighF16(scales);
    c[0] = __fmaf_rn(sum[0], low, c[0]);
    c[1] = __fmaf_rn(sum[1], low, c[1]);
    c[2] = __fmaf_rn(sum[2], high, c[2]);
    c[3] = __fmaf_rn(sum[3], high, c[3]);
  }
};

// As in int8, the numbers 0 to 15 are exact in bf16, and neither scales nor
// minima are rounded: c = fma(sum, scale, c), then
// c = fma(minimum, sum of x, c).
template <>
struct Fragment<WeightFormat::kInt4> {
  static constexpr int kBlock = kInt4Block;
  uint2 numbers;  // Of the two instructions.
  uint2 f16;      // Two scales and two minima.

  __device__ __forceinline__ void LoadGlobal(const std::byte* block, int lane) {
    numbers = LoadOnce8(block + lane * 8);
    f16 =
        __ldg(reinterpret_cast<const uint2*>(block + kInt4Numbers) + lane / 4);
  }
  __device__ __forceinline__ void LoadShared(const std::byte* block, int lane) {
    numbers = reinterpret_cast<const uint2*>(block)[lane];
    f16 = reinterpret_cast<const uint2*>(block + kInt4Numbers)[lane / 4];
  }
  // Returns the numbers in the low bits of the halves of a word as bf16: with
  // 0x43 as the high byte they are 128 + the number.
  static __device__ __forceinline__ std::uint32_t Widen(std::uint32_t word) {
    constexpr std::uint32_t k128 = 0x43004300u;
    return SubtractBf16((word & 0x000f000fu) | k128, k128);
  }
  static __device__ __forceinline__ void MultiplyStep(std::uint32_t word,
                                                      std::uint32_t x0,
                                                      std::uint32_t x1,
                                                      float (&sum)[4]) {
    Mma(sum, Widen(word), Widen(word >> 8), Widen(word >> 4), Widen(word >> 12),
        x0, x1);
  }
  __device__ __forceinline__ void Multiply(
      const uint4& x, const InputSums<WeightFormat::kInt4>& x_sums,
      float (&c)[4]) const {
    float sum[4] = {};
    MultiplyStep(numbers.x, x.x, x.y, sum);
    MultiplyStep(numbers.y, x.z, x.w, sum);
    const float low = LowF16(f16.x), high = HighF16(f16.x);
    c[0] = __fmaf_rn(sum[0], low, c[0]);
    c[1] = __fmaf_rn(sum[1], low, c[1]);
    c[2] = __fmaf_rn(sum[2], high, c[2]);
    c[3] = __fmaf_rn(sum[3], high, c[3]);
    const float low_minimum = LowF16(f16.y), high_minimum = HighF16(f16.y);
    c[0] = __fmaf_rn(low_minimum, x_sums.first, c[0]);
    c[1] = __fmaf_rn(low_minimum, x_sums.second, c[1]);
    c[2] = __fmaf_rn(high_minimum, x_sums.first, c[2]);
    c[3] = __fmaf_rn(high_minimum, x_sums.second, c[3]);
  }
};

__device__ __forceinline__ float SiluTimes(float gate, float up) {
  return __fdividef(gate, 1.0f + __expf(-gate)) * up;
}

// Uses the sum of one output and row.
__device__ __forceinline__ void StoreSum(const ProductArguments& args,
                                         std::size_t row, int output,
                                         float sum) {
  if (output >= args.outputs) return;
  const std::size_t at = row * args.out_stride + output;
  if (args.epilogue == Epilogue::kAdd) {
    static_cast<float*>(args.out)[at] += sum;
    return;
  }
  if (args.bias != nullptr) sum += args.bias[output];
  if (args.epilogue == Epilogue::kStore) {
    static_cast<float*>(args.out)[at] = sum;
  } else {
    static_cast<Bf16*>(args.out)[at] = ToBf16(sum);
  }
}

// Uses a lane's four sums of the tile of outputs `m` and 8 rows from
// `first_row` of the tile of rows.
__device__ __forceinline__ void StoreSums(const ProductArguments& args,
                                          const RowTile& tile, int m,
                                          int first_row, int lane,
                                          const float4& sums) {
  const int g = lane / 4;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int r = first_row + lane % 4 * 2 + i;
    if (r >= tile.rows) continue;
    const int p = tile.first + r;
    const std::size_t row = args.target != nullptr ? args.target[p] : p;
    const float upper = i == 0 ? sums.x : sums.y;  // Output g.
    const float lower = i == 0 ? sums.z : sums.w;  // Output g + 8.
    if (args.epilogue == Epilogue::kSwiGluBf16) {
      if (m * kTileOutputs >= args.outputs) continue;
      static_cast<Bf16*>(args.out)[row * args.out_stride + m * 8 + g] =
          ToBf16(SiluTimes(upper, lower));
      continue;
    }
    StoreSum(args, row, m * kTileOutputs + g, upper);
    StoreSum(args, row, m * kTileOutputs + g + 8, lower);
  }
}

}  // namespace apollo::cuda
