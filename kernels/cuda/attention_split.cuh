#pragma once

#include "kernels/cuda/attention_kernel.cuh"

// Split tasks and their merge (attention_plan.h).
namespace apollo::cuda {

inline constexpr int kSplitThreads = 128;
inline constexpr int kMergeThreads = 128;

// Floats of a slot and kv head in the workspace: [16 pairs][head_size] sums of
// values, then [16 pairs][2]: the largest score and the sum of weights.
__host__ __device__ constexpr int SlotFloats(int head_size) {
  return kTilePairs * (head_size + 2);
}

template <int kHead>
__device__ __forceinline__ float* SlotOf(const Attention& args, int slot,
                                         int kv_head) {
  return args.workspace +
         (static_cast<std::size_t>(slot) * args.shape.kv_heads + kv_head) *
             SlotFloats(kHead);
}

// A warp computes one task. The keys of the next block are loaded while the
// current block is added. grid: [tasks / 4, kv_heads]
template <int kHead>
__global__ void __launch_bounds__(kSplitThreads)
    AttentionSplitKernel(const __grid_constant__ Attention args) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int index = static_cast<int>(blockIdx.x) * (kSplitThreads / 32) +
                    static_cast<int>(threadIdx.x) / 32;
  if (index >= args.split) return;
  const int kv_head = static_cast<int>(blockIdx.y);
  const AttentionTask task = args.tasks[args.direct + index];
  Queries<kHead> queries;
  queries.Load(args, task, kv_head, task.first_pair, task.pairs, lane);
  const float scale = ScoreScale(kHead);

  constexpr int kBlocks = kSplitTokens / kCacheTokens;
  const int begin = task.split * kBlocks;
  const int end =
      min(begin + kBlocks, queries.last_position / kCacheTokens + 1);
  const std::int32_t* const table = args.tables + task.table;
  const std::size_t head_offset =
      static_cast<std::size_t>(kv_head) * kCacheTokens * kHead;
  const auto offset = [&](int b) {
    return table[b] * args.cache.stride + head_offset;
  };

  Softmax<kHead> softmax;
  BlockRegisters<kHead> block;
  std::size_t at = offset(begin);
  block.LoadKeys(args.cache.keys + at, lane);
#pragma unroll 1
  for (int b = begin; b < end; ++b) {
    const std::size_t next = offset(min(b + 1, end - 1));
    block.LoadValues(args.cache.values + at, lane);
    float s[2][4] = {};
    Scores(queries, block, b * kCacheTokens, scale, lane, s);
    block.LoadKeys(args.cache.keys + next, lane);
    AddBlock(queries, block, s, b * kCacheTokens, lane, softmax);
    at = next;
  }
  EndSplit(softmax);

  float* const slot = SlotOf<kHead>(args, task.slot, kv_head);
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int pair = lane / 4 + 8 * i;
    if (pair >= task.pairs) continue;
#pragma unroll
    for (int n = 0; n < kHead / 8; ++n) {
      *reinterpret_cast<float2*>(slot + pair * kHead + n * 8 + lane % 4 * 2) =
          make_float2(softmax.out[n][2 * i], softmax.out[n][2 * i + 1]);
    }
    if (lane % 4 == 0) {
      *reinterpret_cast<float2*>(slot + kTilePairs * kHead + pair * 2) =
          make_float2(softmax.top[i], softmax.sum[i]);
    }
  }
}

// Merges the splits of each pair in rising order. grid: [tasks, kv_heads]
template <int kHead>
__global__ void __launch_bounds__(kMergeThreads)
    AttentionMergeKernel(const __grid_constant__ Attention args) {
  const AttentionTask task =
      args.tasks[args.direct + args.split + static_cast<int>(blockIdx.x)];
  const int kv_head = static_cast<int>(blockIdx.y);
  const int group = args.shape.group();
  for (int i = static_cast<int>(threadIdx.x); i < task.pairs * (kHead / 2);
       i += kMergeThreads) {
    const int pair = i / (kHead / 2);
    const int element = i % (kHead / 2) * 2;
    const int row = (task.first_pair + pair) / group;
    const int head = kv_head * group + (task.first_pair + pair) % group;
    const int splits = (task.first_position + row) / kSplitTokens + 1;
    float top = -INFINITY, sum = 0;
    float2 out = {0, 0};
    for (int s = 0; s < splits; ++s) {
      const float* const slot = SlotOf<kHead>(args, task.slot + s, kv_head);
      const float2 part =
          *reinterpret_cast<const float2*>(slot + pair * kHead + element);
      const float2 weights = *reinterpret_cast<const float2*>(
          slot + kTilePairs * kHead + pair * 2);
      float scale, part_scale;
      Merge(top, sum, weights.x, weights.y, &scale, &part_scale);
      out.x = Merged(out.x, scale, part.x, part_scale);
      out.y = Merged(out.y, scale, part.y, part_scale);
    }
    const float inverse = __frcp_rn(sum);
    *reinterpret_cast<std::uint32_t*>(
        args.out +
        static_cast<std::size_t>(task.first_row + row) * args.shape.q_size() +
        head * kHead + element) =
        PackBf16(__fmul_rn(out.x, inverse), __fmul_rn(out.y, inverse));
  }
}

}  // namespace apollo::cuda
