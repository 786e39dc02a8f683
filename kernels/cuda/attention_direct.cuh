#pragma once

#include "kernels/cuda/attention_kernel.cuh"

// Direct tasks (attention_plan.h).
namespace apollo::cuda {

inline constexpr int kDirectThreads = kDirectPairs / kTilePairs * 32;
// Blocks that are copied to shared memory together; a split is a multiple.
inline constexpr int kStageBlocks = 4;

template <int kHead>
struct DirectShape {
  static constexpr int kBlock = kCacheTokens * kHead;       // Numbers.
  static constexpr int kStage = 2 * kStageBlocks * kBlock;  // Keys and values.
  static constexpr int kShared = 2 * kStage * static_cast<int>(sizeof(Bf16));
};

// Copies blocks [first, first + kStageBlocks) before `end` to shared memory:
// [blocks][keys, values].
template <int kHead>
__device__ __forceinline__ void CopyBlocks(const Attention& args,
                                           const std::int32_t* table,
                                           std::size_t head_offset, int first,
                                           int end, Bf16* stage) {
  constexpr int kBlock = DirectShape<kHead>::kBlock;
  constexpr int kChunks = kBlock / 8;
#pragma unroll
  for (int b = 0; b < kStageBlocks; ++b) {
    if (first + b >= end) return;
    const std::size_t at = table[first + b] * args.cache.stride + head_offset;
    for (int i = static_cast<int>(threadIdx.x); i < kChunks;
         i += kDirectThreads) {
      CopyAsync(stage + 2 * b * kBlock + i * 8, args.cache.keys + at + i * 8);
      CopyAsync(stage + (2 * b + 1) * kBlock + i * 8,
                args.cache.values + at + i * 8);
    }
  }
}

// Merges a split into the totals and starts the next one.
template <int kHead>
__device__ __forceinline__ void MergeSplit(Softmax<kHead>& totals,
                                           Softmax<kHead>& split) {
  EndSplit(split);
  float scale[2], part_scale[2];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    Merge(totals.top[i], totals.sum[i], split.top[i], split.sum[i], &scale[i],
          &part_scale[i]);
    split.top[i] = -INFINITY;
    split.sum[i] = 0;
  }
#pragma unroll
  for (int n = 0; n < kHead / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      totals.out[n][i] = Merged(totals.out[n][i], scale[i / 2], split.out[n][i],
                                part_scale[i / 2]);
      split.out[n][i] = 0;
    }
  }
}

template <int kHead>
__device__ __forceinline__ void StoreTotals(const Attention& args,
                                            const AttentionTask& task,
                                            int kv_head, int first, int pairs,
                                            int lane,
                                            const Softmax<kHead>& totals) {
  const int group = args.shape.group();
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    if (lane / 4 + 8 * i >= pairs) continue;
    const int pair = first + lane / 4 + 8 * i;
    const float inverse = __frcp_rn(totals.sum[i]);
    Bf16* const to = args.out +
                     static_cast<std::size_t>(task.first_row + pair / group) *
                         args.shape.q_size() +
                     (kv_head * group + pair % group) * kHead + lane % 4 * 2;
#pragma unroll
    for (int n = 0; n < kHead / 8; ++n) {
      *reinterpret_cast<std::uint32_t*>(to + n * 8) =
          PackBf16(__fmul_rn(totals.out[n][2 * i], inverse),
                   __fmul_rn(totals.out[n][2 * i + 1], inverse));
    }
  }
}

// A block computes one task, a warp 16 of its pairs. While a stage is used, the
// next one is copied. grid: [tasks, kv_heads]
template <int kHead>
__global__ void __launch_bounds__(kDirectThreads, kHead <= 64 ? 2 : 1)
    AttentionDirectKernel(const __grid_constant__ Attention args) {
  using Shape = DirectShape<kHead>;
  Bf16* const stages = DynamicShared<Bf16>();
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int kv_head = static_cast<int>(blockIdx.y);
  const AttentionTask task = args.tasks[blockIdx.x];
  const std::int32_t* const table = args.tables + task.table;
  const std::size_t head_offset =
      static_cast<std::size_t>(kv_head) * Shape::kBlock;
  const int last_position =
      task.first_position +
      (task.first_pair + task.pairs - 1) / args.shape.group();
  const int end = last_position / kCacheTokens + 1;

  // A warp without pairs only helps to copy.
  const int pairs = min(kTilePairs, task.pairs - warp * kTilePairs);
  const int first = task.first_pair + warp * kTilePairs;
  Queries<kHead> queries;
  queries.last_position = -1;
  if (pairs > 0) queries.Load(args, task, kv_head, first, pairs, lane);
  const float scale = ScoreScale(kHead);

  Softmax<kHead> totals, split;
  CopyBlocks<kHead>(args, table, head_offset, 0, end, stages);
  CommitCopies();
#pragma unroll 1
  for (int stage = 0; stage * kStageBlocks < end; ++stage) {
    const int begin = stage * kStageBlocks;
    CopyBlocks<kHead>(args, table, head_offset, begin + kStageBlocks, end,
                      stages + (stage + 1) % 2 * Shape::kStage);
    CommitCopies();
    AwaitCopies<1>();
    __syncthreads();
#pragma unroll 1
    for (int b = begin; b < min(begin + kStageBlocks, end); ++b) {
      // Later blocks hold nothing for this warp.
      if (b * kCacheTokens > queries.last_position) break;
      const Bf16* const keys =
          stages + stage % 2 * Shape::kStage + 2 * (b - begin) * Shape::kBlock;
      const BlockShared block = {keys, keys + Shape::kBlock, lane};
      float s[2][4] = {};
      Scores(queries, block, b * kCacheTokens, scale, lane, s);
      AddBlock(queries, block, s, b * kCacheTokens, lane, split);
    }
    constexpr int kStagesPerSplit = kSplitTokens / kCacheTokens / kStageBlocks;
    if ((stage + 1) % kStagesPerSplit == 0 || begin + kStageBlocks >= end) {
      MergeSplit(totals, split);
    }
    __syncthreads();  // The stage is free.
  }
  if (pairs > 0) StoreTotals(args, task, kv_head, first, pairs, lane, totals);
}

}  // namespace apollo::cuda
