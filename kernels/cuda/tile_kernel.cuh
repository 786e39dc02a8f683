#pragma once

#include "kernels/cuda/product_kernel.cuh"

namespace apollo::cuda {

// A product of many rows, bound by arithmetic. A block of 8 warps computes 128
// outputs for 128 rows; a warp 64 outputs for 32 rows. All warps go through the
// groups of inputs together; the next kStages - 1 groups are being copied to
// shared memory.
inline constexpr int kTileThreads = 256;
inline constexpr int kTileRows = 128;
inline constexpr int kTileM = 8;  // Tiles of 16 outputs.
inline constexpr int kStages = 5;

template <WeightFormat kFormat>
struct TileShape {
  static constexpr int kWeights = kTileM * Fragment<kFormat>::kBlock;
  static constexpr int kInputs = kTileRows * kGroupInputs * 2;
  static constexpr int kStage = kWeights + kInputs;
  static constexpr int kShared = kStages * kStage;
};

// Copies one group of the block's weights and inputs.
template <WeightFormat kFormat>
__device__ __forceinline__ void CopyStage(const std::byte* w, int first_m,
                                          int last_m, int groups, int group,
                                          const Bf16* const (&inputs)[2],
                                          std::byte* stage) {
  using Shape = TileShape<kFormat>;
  constexpr int kBlock = Fragment<kFormat>::kBlock;
  constexpr int kChunks = kBlock / 16;
  for (int i = static_cast<int>(threadIdx.x); i < kTileM * kChunks;
       i += kTileThreads) {
    const int m = min(first_m + i / kChunks, last_m);
    CopyAsync(stage + i * 16,
              w + BlockIndex(m, group, groups) * kBlock + i % kChunks * 16);
  }
  // A row has 4 chunks; rows are adjacent, so that 8 lanes read all banks.
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    CopyAsync(stage + Shape::kWeights + (threadIdx.x + i * kTileThreads) * 16,
              inputs[i] + group * kGroupInputs);
  }
}

// grid: [tiles of rows, output tiles / kTileM]
template <WeightFormat kFormat>
__global__ void __launch_bounds__(kTileThreads, 1)
    TileKernel(const __grid_constant__ ProductArguments args) {
  using Shape = TileShape<kFormat>;
  std::byte* const stages = DynamicShared<std::byte>();
  RowTile rows;
  const auto* w = static_cast<const std::byte*>(
      args.Find(static_cast<int>(blockIdx.x), kTileRows, &rows));
  if (w == nullptr) return;
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const int warp_m = thread / 32 % 2 * 4;  // First tile of the warp.
  const int warp_n = thread / 64 * 32;     // Its first row.
  const int first_m = static_cast<int>(blockIdx.y) * kTileM;
  const int last_m = CountTiles(args.outputs) - 1;
  const Bf16* const inputs[2] = {
      args.Input(rows, thread / 4) + thread % 4 * 8,
      args.Input(rows, thread / 4 + kTileThreads / 4) + thread % 4 * 8};

  float totals[4][4][4] = {};
  float sums[4][4][4] = {};
  int slice_end = SliceEnd(0, args.groups);
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (s < args.groups) {
      CopyStage<kFormat>(w, first_m, last_m, args.groups, s, inputs,
                         stages + s * Shape::kStage);
    }
    CommitCopies();
  }
  for (int group = 0; group < args.groups; ++group) {
    AwaitCopies<kStages - 2>();
    __syncthreads();  // The group is there; the previous one is free.
    const int next = group + kStages - 1;
    if (next < args.groups) {
      CopyStage<kFormat>(w, first_m, last_m, args.groups, next, inputs,
                         stages + next % kStages * Shape::kStage);
    }
    CommitCopies();

    const std::byte* const stage = stages + group % kStages * Shape::kStage;
    uint4 x[4];
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      x[n] = *reinterpret_cast<const uint4*>(
          stage + Shape::kWeights + (warp_n + n * 8) * kGroupInputs * 2 +
          lane * 16);
    }
    const InputSums<kFormat> x_sums[4] = {
        InputSums<kFormat>(x[0]), InputSums<kFormat>(x[1]),
        InputSums<kFormat>(x[2]), InputSums<kFormat>(x[3])};
#pragma unroll
    for (int m = 0; m < 4; ++m) {
      Fragment<kFormat> fragment;
      fragment.LoadShared(stage + (warp_m + m) * Fragment<kFormat>::kBlock,
                          lane);
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        fragment.Multiply(x[n], x_sums[n], sums[m][n]);
      }
    }
    if (group + 1 != slice_end) continue;
    if (group + 1 < args.groups) slice_end = SliceEnd(group + 1, args.groups);
#pragma unroll
    for (int m = 0; m < 4; ++m) {
#pragma unroll
      for (int n = 0; n < 4; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          totals[m][n][i] = __fadd_rn(totals[m][n][i], sums[m][n][i]);
          sums[m][n][i] = 0;
        }
      }
    }
  }
#pragma unroll
  for (int m = 0; m < 4; ++m) {
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      StoreSums(args, rows, first_m + warp_m + m, warp_n + n * 8, lane,
                make_float4(totals[m][n][0], totals[m][n][1], totals[m][n][2],
                            totals[m][n][3]));
    }
  }
}

}  // namespace apollo::cuda
