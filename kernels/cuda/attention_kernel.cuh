#pragma once

#include <cmath>

#include "kernels/cuda/attention.h"
#include "kernels/cuda/cache_index.h"
#include "kernels/cuda/simt.cuh"

// Attention of one warp: a tile of 16 pairs (attention_plan.h) over the blocks
// of one kv head. Lane 4g + t holds numbers of the pairs g and g + 8.
namespace apollo::cuda {

// Running sums of a softmax, for the pairs g and g + 8: the largest score, the
// sum of the weights, and the weighted sums of the values. Scores are in
// base 2.
template <int kHead>
struct Softmax {
  float top[2] = {-INFINITY, -INFINITY};
  float sum[2] = {0, 0};
  float out[kHead / 8][4] = {};
};

// Returns what exponents are relative to: the largest score, or 0 if there is
// no score yet, so that no difference of infinities arises.
__device__ __forceinline__ float Base(float top) {
  return top == -INFINITY ? 0.0f : top;
}

// Adds a split to the sums of the splits before it. Empty splits change
// nothing.
__device__ __forceinline__ void Merge(float& top, float& sum, float part_top,
                                      float part_sum, float* scale,
                                      float* part_scale) {
  const float both = fmaxf(top, part_top);
  *scale = exp2f(top - Base(both));
  *part_scale = exp2f(part_top - Base(both));
  top = both;
  sum = __fmaf_rn(sum, *scale, __fmul_rn(part_sum, *part_scale));
}
__device__ __forceinline__ float Merged(float out, float scale, float part,
                                        float part_scale) {
  return __fmaf_rn(out, scale, __fmul_rn(part, part_scale));
}

// The queries of a tile, as operand A, and the positions of the lane's pairs.
template <int kHead>
struct Queries {
  uint4 q[2][kHead / 32];  // Of pairs g and g + 8.
  int position[2];         // -1: no such pair; it attends to nothing.
  int last_position;       // Of the tile.

  // first: the tile's first pair; pairs: those of the tile, at least 1.
  __device__ __forceinline__ void Load(const Attention& args,
                                       const AttentionTask& task, int kv_head,
                                       int first, int pairs, int lane) {
    const int group = args.shape.group();
    last_position = task.first_position + (first + pairs - 1) / group;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int pair = first + min(lane / 4 + 8 * i, pairs - 1);
      const Bf16* const from =
          args.q +
          static_cast<std::size_t>(task.first_row + pair / group) *
              args.shape.q_size() +
          (kv_head * group + pair % group) * kHead + lane % 4 * 8;
#pragma unroll
      for (int c = 0; c < kHead / 32; ++c) {
        q[i][c] = __ldg(reinterpret_cast<const uint4*>(from + c * 32));
      }
      position[i] =
          lane / 4 + 8 * i < pairs ? task.first_position + pair / group : -1;
    }
  }
};

// The keys and values of one block and kv head in registers.
template <int kHead>
struct BlockRegisters {
  uint4 keys[kHead / 16];
  uint4 values[kHead / 16];

  __device__ __forceinline__ void LoadKeys(const Bf16* from, int lane) {
#pragma unroll
    for (int i = 0; i < kHead / 16; ++i) {
      keys[i] = LoadOnce(from + (i * 32 + lane) * 8);
    }
  }
  __device__ __forceinline__ void LoadValues(const Bf16* from, int lane) {
#pragma unroll
    for (int i = 0; i < kHead / 16; ++i) {
      values[i] = LoadOnce(from + (i * 32 + lane) * 8);
    }
  }
  __device__ __forceinline__ uint4 Key(int i) const { return keys[i]; }
  __device__ __forceinline__ uint4 Value(int i) const { return values[i]; }
};

// The same in shared memory.
struct BlockShared {
  const Bf16* keys;
  const Bf16* values;
  int lane;

  __device__ __forceinline__ uint4 Key(int i) const {
    return reinterpret_cast<const uint4*>(keys)[i * 32 + lane];
  }
  __device__ __forceinline__ uint4 Value(int i) const {
    return reinterpret_cast<const uint4*>(values)[i * 32 + lane];
  }
};

// Computes the scores of a block's tokens 4t to 4t + 3, [2 tiles][4], and masks
// those after the pair's position.
template <int kHead, typename Block>
__device__ __forceinline__ void Scores(const Queries<kHead>& queries,
                                       const Block& block, int first_position,
                                       float scale, int lane,
                                       float (&s)[2][4]) {
  constexpr int kChunks = kHead / 32;
#pragma unroll
  for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
      const uint4 k = block.Key(tile * kChunks + c);
      const uint4 a = queries.q[0][c], b = queries.q[1][c];
      Mma(s[tile], a.x, b.x, a.y, b.y, k.x, k.y);
      Mma(s[tile], a.z, b.z, a.w, b.w, k.z, k.w);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int position =
          first_position + TokenOfColumn(tile, lane % 4 * 2 + i % 2);
      s[tile][i] = position <= queries.position[i / 2]
                       ? __fmul_rn(s[tile][i], scale)
                       : -INFINITY;
    }
  }
}

// Sets the values of tokens after the last position to zero: their slots may
// hold anything, and 0 * NaN is NaN.
__device__ __forceinline__ uint4 MaskValues(uint4 v, int valid) {
  const std::uint32_t first = valid >= 2 ? ~0u : valid == 1 ? 0xffffu : 0;
  const std::uint32_t second = valid >= 4 ? ~0u : valid == 3 ? 0xffffu : 0;
  return make_uint4(v.x & first, v.y & second, v.z & first, v.w & second);
}

// Adds a block to the running sums of a split.
template <int kHead, typename Block>
__device__ __forceinline__ void AddBlock(const Queries<kHead>& queries,
                                         const Block& block, float (&s)[2][4],
                                         int first_position, int lane,
                                         Softmax<kHead>& softmax) {
  float scale[2];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    float top = fmaxf(fmaxf(s[0][2 * i], s[0][2 * i + 1]),
                      fmaxf(s[1][2 * i], s[1][2 * i + 1]));
    top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
    top = fmaxf(top, __shfl_xor_sync(~0u, top, 2));
    top = fmaxf(top, softmax.top[i]);
    const float base = Base(top);
    scale[i] = exp2f(softmax.top[i] - base);
    softmax.top[i] = top;
    float sum = 0;
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
      for (int j = 2 * i; j < 2 * i + 2; ++j) {
        s[tile][j] = exp2f(s[tile][j] - base);
        sum = __fadd_rn(sum, s[tile][j]);
      }
    }
    softmax.sum[i] = __fmaf_rn(softmax.sum[i], scale[i], sum);
  }
  // Scaling by 1 changes nothing, so leaving it out changes no bit.
  if (__any_sync(~0u, scale[0] != 1.0f || scale[1] != 1.0f)) {
#pragma unroll
    for (int n = 0; n < kHead / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        softmax.out[n][i] = __fmul_rn(softmax.out[n][i], scale[i / 2]);
      }
    }
  }
  const std::uint32_t a0 = PackBf16(s[0][0], s[0][1]);
  const std::uint32_t a1 = PackBf16(s[0][2], s[0][3]);
  const std::uint32_t a2 = PackBf16(s[1][0], s[1][1]);
  const std::uint32_t a3 = PackBf16(s[1][2], s[1][3]);
  const bool partial =
      first_position + kCacheTokens - 1 > queries.last_position;
  const int valid = queries.last_position - (first_position + lane % 4 * 4) + 1;
#pragma unroll
  for (int n = 0; n < kHead / 16; ++n) {
    uint4 v = block.Value(n);
    if (partial) v = MaskValues(v, valid);
    Mma(softmax.out[2 * n], a0, a1, a2, a3, v.x, v.y);
    Mma(softmax.out[2 * n + 1], a0, a1, a2, a3, v.z, v.w);
  }
}

// Completes the sums over the lanes of a pair at the end of a split.
template <int kHead>
__device__ __forceinline__ void EndSplit(Softmax<kHead>& softmax) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    softmax.sum[i] += __shfl_xor_sync(~0u, softmax.sum[i], 1);
    softmax.sum[i] += __shfl_xor_sync(~0u, softmax.sum[i], 2);
  }
}

// Returns 1 / sqrt(head_size), in base 2.
__device__ __forceinline__ float ScoreScale(int head_size) {
  return 1.44269504f / sqrtf(static_cast<float>(head_size));
}

}  // namespace apollo::cuda
