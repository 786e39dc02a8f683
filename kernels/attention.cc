#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cc"
#include <hwy/foreach_target.h>  // Must come before highway.h.
#include <hwy/highway.h>
// After highway.h.
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace apollo {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::CappedTag<float, kBlockTokens>;
using V = hn::Vec<F32>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32()));
constexpr int kVectors = kBlockTokens / kLanes;

// scores[t] = scale * q . key t, for the 16 tokens of a block. keys: [head_size,
// kBlockTokens], so that lanes are tokens and no sum crosses lanes.
HWY_INLINE void BlockScores(const float* q, const float* keys, int head_size,
                            float scale, float* scores) {
  const F32 d;
  V sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = hn::Zero(d);
  for (int i = 0; i < head_size; ++i) {
    const V qs = hn::Set(d, q[i]);
    for (int v = 0; v < kVectors; ++v) {
      sums[v] = hn::MulAdd(
          qs, hn::LoadU(d, keys + i * kBlockTokens + v * kLanes), sums[v]);
    }
  }
  const V scales = hn::Set(d, scale);
  for (int v = 0; v < kVectors; ++v) {
    hn::StoreU(hn::Mul(sums[v], scales), d, scores + v * kLanes);
  }
}

// scores becomes exp(scores - max), zero beyond `count`; returns the sum. The
// buffer is padded to whole blocks.
HWY_INLINE float Exponentials(float* scores, int count, int padded) {
  const F32 d;
  const float top = *std::max_element(scores, scores + count);
  const V tops = hn::Set(d, top);
  V sums = hn::Zero(d);
  for (int t = count; t < padded; ++t) scores[t] = -1e30f;
  for (int t = 0; t < padded; t += kLanes) {
    const V e = hn::Exp(d, hn::Sub(hn::LoadU(d, scores + t), tops));
    hn::StoreU(e, d, scores + t);
    sums = hn::Add(sums, e);
  }
  return hn::GetLane(hn::SumOfLanes(d, sums));
}

// out += weights . values, for the first `count` tokens of a block.
// values: [kBlockTokens, head_size].
HWY_INLINE void AddValues(const float* weights, const float* values, int count,
                          int head_size, float* out) {
  const F32 d;
  int i = 0;
  for (; i + 2 * kLanes <= head_size; i += 2 * kLanes) {
    V a = hn::LoadU(d, out + i);
    V b = hn::LoadU(d, out + i + kLanes);
    for (int t = 0; t < count; ++t) {
      const V w = hn::Set(d, weights[t]);
      a = hn::MulAdd(w, hn::LoadU(d, values + t * head_size + i), a);
      b = hn::MulAdd(w, hn::LoadU(d, values + t * head_size + i + kLanes), b);
    }
    hn::StoreU(a, d, out + i);
    hn::StoreU(b, d, out + i + kLanes);
  }
  for (; i < head_size; ++i) {
    float a = out[i];
    for (int t = 0; t < count; ++t) {
      a = std::fma(weights[t], values[t * head_size + i], a);
    }
    out[i] = a;
  }
}

// All query heads of one row that share one kv head.
void AttendGroup(const AttentionShape& shape, const AttentionRow& row,
                 int kv_head, const float* q, float* out,
                 std::vector<float>& scratch) {
  const int group = shape.heads / shape.kv_heads;
  const int count = row.position + 1;
  const int blocks = (count + kBlockTokens - 1) / kBlockTokens;
  const int padded = blocks * kBlockTokens;
  const float scale = 1.0f / std::sqrt(static_cast<float>(shape.head_size));
  const std::ptrdiff_t offset =
      static_cast<std::ptrdiff_t>(kv_head) * shape.head_size * kBlockTokens;
  if (scratch.size() < static_cast<std::size_t>(padded) * group) {
    scratch.resize(static_cast<std::size_t>(padded) * group);
  }
  const float* q0 =
      q + static_cast<std::ptrdiff_t>(kv_head) * group * shape.head_size;
  float* out0 =
      out + static_cast<std::ptrdiff_t>(kv_head) * group * shape.head_size;

  for (int b = 0; b < blocks; ++b) {
    for (int g = 0; g < group; ++g) {
      BlockScores(q0 + g * shape.head_size, row.keys[b] + offset,
                  shape.head_size, scale,
                  scratch.data() + g * padded + b * kBlockTokens);
    }
  }
  for (int g = 0; g < group; ++g) {
    float* scores = scratch.data() + static_cast<std::ptrdiff_t>(g) * padded;
    const float inverse = 1.0f / Exponentials(scores, count, padded);
    for (int t = 0; t < count; ++t) scores[t] *= inverse;
    std::fill_n(out0 + g * shape.head_size, shape.head_size, 0.0f);
  }
  for (int b = 0; b < blocks; ++b) {
    const int used = std::min(kBlockTokens, count - b * kBlockTokens);
    for (int g = 0; g < group; ++g) {
      AddValues(scratch.data() + g * padded + b * kBlockTokens,
                row.values[b] + offset, used, shape.head_size,
                out0 + g * shape.head_size);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace apollo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apollo {

HWY_EXPORT(AttendGroup);

void StoreKeyValue(const AttentionShape& shape, const float* key,
                   const float* value, int slot, float* block_keys,
                   float* block_values) {
  const int size = shape.head_size;
  for (int h = 0; h < shape.kv_heads; ++h) {
    float* keys = block_keys + static_cast<std::ptrdiff_t>(h) * size * kBlockTokens;
    for (int i = 0; i < size; ++i) keys[i * kBlockTokens + slot] = key[h * size + i];
    std::copy_n(value + h * size, size,
                block_values + (static_cast<std::ptrdiff_t>(h) * kBlockTokens + slot) * size);
  }
}

void Attention(const AttentionShape& shape, std::span<const AttentionRow> rows,
               const float* q, int q_stride, float* out, int out_stride,
               ThreadPool& pool) {
  const std::int64_t items =
      static_cast<std::int64_t>(rows.size()) * shape.kv_heads;
  if (items == 0) return;
  // About 20,000 multiply-adds are worth a thread.
  const std::int64_t per_item = static_cast<std::int64_t>(rows[0].position + 1) *
                                shape.head_size *
                                (shape.heads / shape.kv_heads) * 2;
  pool.ParallelFor(
      items, 20000 / per_item + 1, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> scratch;
        for (std::int64_t item = begin; item < end; ++item) {
          const std::int64_t r = item / shape.kv_heads;
          HWY_DYNAMIC_DISPATCH(AttendGroup)
          (shape, rows[r], static_cast<int>(item % shape.kv_heads),
           q + r * q_stride, out + r * out_stride, scratch);
        }
      });
}

}  // namespace apollo
#endif  // HWY_ONCE
