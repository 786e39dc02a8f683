#include "kernels/attention.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

// kLanes values of the cache as float32.
HWY_INLINE V Load(const float* from) { return hn::LoadU(F32(), from); }
HWY_INLINE V Load(const hwy::bfloat16_t* from) {
  const hn::Rebind<hwy::bfloat16_t, F32> d;
  return hn::PromoteTo(F32(), hn::LoadU(d, from));
}
HWY_INLINE float LoadOne(const float* from) { return *from; }
HWY_INLINE float LoadOne(const hwy::bfloat16_t* from) {
  std::uint16_t half;
  std::memcpy(&half, from, sizeof(half));
  return std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16);
}

// scores[t] = scale * q . key t, for the 16 tokens of a block. keys: [head_size,
// kBlockTokens], so that lanes are tokens and no sum crosses lanes.
template <typename T>
HWY_INLINE void BlockScores(const float* q, const T* keys, int head_size,
                            float scale, float* scores) {
  const F32 d;
  V sums[kVectors];
  for (int v = 0; v < kVectors; ++v) sums[v] = hn::Zero(d);
  for (int i = 0; i < head_size; ++i) {
    const V qs = hn::Set(d, q[i]);
    for (int v = 0; v < kVectors; ++v) {
      sums[v] = hn::MulAdd(
          qs, Load(keys + i * kBlockTokens + v * kLanes), sums[v]);
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
template <typename T>
HWY_INLINE void AddValues(const float* weights, const T* values, int count,
                          int head_size, float* out) {
  const F32 d;
  int i = 0;
  for (; i + 2 * kLanes <= head_size; i += 2 * kLanes) {
    V a = hn::LoadU(d, out + i);
    V b = hn::LoadU(d, out + i + kLanes);
    for (int t = 0; t < count; ++t) {
      const V w = hn::Set(d, weights[t]);
      a = hn::MulAdd(w, Load(values + t * head_size + i), a);
      b = hn::MulAdd(w, Load(values + t * head_size + i + kLanes), b);
    }
    hn::StoreU(a, d, out + i);
    hn::StoreU(b, d, out + i + kLanes);
  }
  for (; i < head_size; ++i) {
    float a = out[i];
    for (int t = 0; t < count; ++t) {
      a = std::fma(weights[t], LoadOne(values + t * head_size + i), a);
    }
    out[i] = a;
  }
}

// All query heads of one row that share one kv head. T: float or bfloat16_t.
template <typename T>
void AttendGroupIn(const AttentionShape& shape, const AttentionRow& row,
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
      BlockScores(q0 + g * shape.head_size,
                  static_cast<const T*>(row.keys[b]) + offset, shape.head_size,
                  scale,
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
                static_cast<const T*>(row.values[b]) + offset, used,
                shape.head_size, out0 + g * shape.head_size);
    }
  }
}

void AttendGroup(const AttentionShape& shape, const AttentionRow& row,
                 int kv_head, const float* q, float* out,
                 std::vector<float>& scratch) {
  if (shape.cache_type == CacheType::kBf16) {
    AttendGroupIn<hwy::bfloat16_t>(shape, row, kv_head, q, out, scratch);
  } else {
    AttendGroupIn<float>(shape, row, kv_head, q, out, scratch);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace apollo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apollo {

HWY_EXPORT(AttendGroup);

namespace {

float Stored(float x, float /*type*/) { return x; }

// To nearest, ties to even. Not a number stays so.
std::uint16_t Stored(float x, std::uint16_t /*type*/) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (std::isnan(x)) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

template <typename T>
void Store(const AttentionShape& shape, const float* key, const float* value,
           int slot, T* block_keys, T* block_values) {
  const int size = shape.head_size;
  for (int h = 0; h < shape.kv_heads; ++h) {
    const std::ptrdiff_t head =
        static_cast<std::ptrdiff_t>(h) * size * kBlockTokens;
    T* keys = block_keys + head;
    T* values = block_values + head + static_cast<std::ptrdiff_t>(slot) * size;
    for (int i = 0; i < size; ++i) {
      keys[i * kBlockTokens + slot] = Stored(key[h * size + i], T());
      values[i] = Stored(value[h * size + i], T());
    }
  }
}

}  // namespace

void StoreKeyValue(const AttentionShape& shape, const float* key,
                   const float* value, int slot, void* block_keys,
                   void* block_values) {
  if (shape.cache_type == CacheType::kBf16) {
    Store(shape, key, value, slot, static_cast<std::uint16_t*>(block_keys),
          static_cast<std::uint16_t*>(block_values));
  } else {
    Store(shape, key, value, slot, static_cast<float*>(block_keys),
          static_cast<float*>(block_values));
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
