#pragma once

#include "kernels/cuda/product_kernel.cuh"

namespace apollo::cuda {

inline constexpr int kSkinnyThreads = 32 * kSlices;

// A product of few rows, bound by reading the weights. A block computes kM
// tiles of outputs for kN * 8 rows, and its warp s the slice s of the inputs.
// Weights go from memory to the registers of the lane that needs them, kAhead
// groups at a time: with 8 warps, that keeps 32 KB and more of bf16 in flight
// per block. grid: [tiles of rows, output tiles / kM]
template <WeightFormat kFormat, int kM, int kN, int kAhead, int kBlocks>
__global__ void __launch_bounds__(kSkinnyThreads, kBlocks)
    SkinnyKernel(const __grid_constant__ ProductArguments args) {
  RowTile rows;
  const auto* w = static_cast<const std::byte*>(
      args.Find(static_cast<int>(blockIdx.x), kN * 8, &rows));
  if (w == nullptr) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int slice = static_cast<int>(threadIdx.x) / 32;
  const int first_m = static_cast<int>(blockIdx.y) * kM;
  const int last_m = CountTiles(args.outputs) - 1;

  const std::byte* blocks[kM];
#pragma unroll
  for (int m = 0; m < kM; ++m) {
    // A tile beyond the end repeats the last one; its sums are dropped.
    blocks[m] = w + BlockIndex(min(first_m + m, last_m), 0, args.groups) *
                        Fragment<kFormat>::kBlock;
  }
  const Bf16* inputs[kN];
#pragma unroll
  for (int n = 0; n < kN; ++n) {
    inputs[n] = args.Input(rows, n * 8 + lane / 4) + lane % 4 * 8;
  }

  float sums[kM][kN][4] = {};
  const int end = SliceBegin(slice + 1, args.groups);
  for (int first = SliceBegin(slice, args.groups); first < end;
       first += kAhead) {
    Fragment<kFormat> fragments[kAhead][kM];
    uint4 x[kAhead][kN];
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
      if (first + a >= end) continue;
#pragma unroll
      for (int m = 0; m < kM; ++m) {
        fragments[a][m].LoadGlobal(
            blocks[m] +
                static_cast<std::size_t>(first + a) * Fragment<kFormat>::kBlock,
            lane);
      }
#pragma unroll
      for (int n = 0; n < kN; ++n) {
        x[a][n] = __ldg(reinterpret_cast<const uint4*>(
            inputs[n] + (first + a) * kGroupInputs));
      }
    }
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
      if (first + a >= end) continue;
#pragma unroll
      for (int n = 0; n < kN; ++n) {
        const InputSums<kFormat> x_sums(x[a][n]);
#pragma unroll
        for (int m = 0; m < kM; ++m) {
          fragments[a][m].Multiply(x[a][n], x_sums, sums[m][n]);
        }
      }
    }
  }

  // Adds the slices in rising order.
  __shared__ float4 parts[kSlices][kN][32];
#pragma unroll
  for (int m = 0; m < kM; ++m) {
    if (m > 0) __syncthreads();
#pragma unroll
    for (int n = 0; n < kN; ++n) {
      parts[slice][n][lane] = make_float4(sums[m][n][0], sums[m][n][1],
                                          sums[m][n][2], sums[m][n][3]);
    }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < kN * 32;
         i += kSkinnyThreads) {
      float4 total = {0, 0, 0, 0};
#pragma unroll
      for (int s = 0; s < kSlices; ++s) {
        const float4 part = parts[s][i / 32][i % 32];
        total.x = __fadd_rn(total.x, part.x);
        total.y = __fadd_rn(total.y, part.y);
        total.z = __fadd_rn(total.z, part.z);
        total.w = __fadd_rn(total.w, part.w);
      }
      StoreSums(args, rows, first_m + m, i / 32 * 8, i % 32, total);
    }
  }
}

}  // namespace apollo::cuda
