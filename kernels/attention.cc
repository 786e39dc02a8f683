#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/half.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // Must come before highway.h.
#include <hwy/highway.h>
// After highway.h.
#include <hwy/contrib/math/math-inl.h>

#ifndef APOLLO_KERNELS_ATTENTION_ONCE
#define APOLLO_KERNELS_ATTENTION_ONCE
namespace apollo {
namespace {

// Maximum number of queries (rows times heads that share a kv head) per tile.
constexpr int kMostQueries = 24;

// Adjacent rows of one sequence.
struct AttentionTile {
  const AttentionRow* first;
  int rows;
};

}  // namespace
}  // namespace apollo
#endif

HWY_BEFORE_NAMESPACE();
namespace apollo {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::CappedTag<float, kBlockTokens>;
using V = hn::Vec<F32>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32()));
constexpr int kVectors = kBlockTokens / kLanes;

// Loads kLanes cache values as float32.
HWY_INLINE V Load(const float* from) { return hn::LoadU(F32(), from); }
HWY_INLINE V Load(const hwy::bfloat16_t* from) {
  const hn::Rebind<hwy::bfloat16_t, F32> d;
  return hn::PromoteTo(F32(), hn::LoadU(d, from));
}
HWY_INLINE V Load(const hwy::float16_t* from) {
  const hn::Rebind<hwy::float16_t, F32> d;
  return hn::PromoteTo(F32(), hn::LoadU(d, from));
}
HWY_INLINE float LoadOne(const float* from) { return *from; }
HWY_INLINE float LoadOne(const hwy::float16_t* from) {
  std::uint16_t half;
  std::memcpy(&half, from, sizeof(half));
  return F32FromF16Bits(half);
}
HWY_INLINE float LoadOne(const hwy::bfloat16_t* from) {
  std::uint16_t half;
  std::memcpy(&half, from, sizeof(half));
  return F32FromBf16Bits(half);
}

// Tile sizes whose accumulators stay in registers. There are 32 registers with
// AVX-512, where a block of keys is one vector, and 16 otherwise.
constexpr int kQueries = kVectors == 1 ? 6 : 3;       // Tile of scores.
constexpr int kBlocks = kVectors == 1 ? 4 : 2;        // Tile of scores.
constexpr int kValueQueries = 6;                      // Tile of values.
constexpr int kValueVectors = kVectors == 1 ? 4 : 2;  // Tile of values.

// scores[q][t] = scale * q . key t, for Q queries and the tokens of B blocks.
// The scores of one query are `stride` apart. keys: [head_size, kBlockTokens]
// each, so that lanes are tokens, no sum crosses lanes, and each sum is one
// chain over the head. Also prefetches `ahead`, the keys of the next blocks,
// whose location the hardware cannot predict.
template <int Q, int B, typename T>
HWY_INLINE void ScoreTile(const float* const* queries, const T* const* keys,
                          const T* const* ahead, int head_size, float scale,
                          float* scores, std::ptrdiff_t stride) {
  const F32 d;
  V sums[Q][B * kVectors];
  for (int q = 0; q < Q; ++q) {
    for (int v = 0; v < B * kVectors; ++v) sums[q][v] = hn::Zero(d);
  }
  for (int i = 0; i < head_size; ++i) {
    V k[B * kVectors];
    for (int b = 0; b < B; ++b) {
      hwy::Prefetch(ahead[b] + i * kBlockTokens);
      for (int v = 0; v < kVectors; ++v) {
        k[b * kVectors + v] = Load(keys[b] + i * kBlockTokens + v * kLanes);
      }
    }
    for (int q = 0; q < Q; ++q) {
      const V x = hn::Set(d, queries[q][i]);
      for (int v = 0; v < B * kVectors; ++v) {
        sums[q][v] = hn::MulAdd(x, k[v], sums[q][v]);
      }
    }
  }
  const V scales = hn::Set(d, scale);
  for (int q = 0; q < Q; ++q) {
    for (int v = 0; v < B * kVectors; ++v) {
      hn::StoreU(hn::Mul(sums[q][v], scales), d,
                 scores + q * stride + v * kLanes);
    }
  }
}

template <int B, typename T>
HWY_INLINE void ScoreTiles(int count, const float* const* queries,
                           const T* const* keys, const T* const* ahead,
                           int head_size, float scale, float* scores,
                           std::ptrdiff_t stride) {
  int q = 0;
  for (; q + kQueries <= count; q += kQueries) {
    ScoreTile<kQueries, B>(queries + q, keys, ahead, head_size, scale,
                           scores + q * stride, stride);
  }
  for (; q + 3 <= count; q += 3) {
    ScoreTile<3, B>(queries + q, keys, ahead, head_size, scale,
                    scores + q * stride, stride);
  }
  for (; q < count; ++q) {
    ScoreTile<1, B>(queries + q, keys, ahead, head_size, scale,
                    scores + q * stride, stride);
  }
}

// Replaces scores by exp(scores - max), zero beyond `count`, and returns their
// sum. The sum is NaN if a score is NaN or infinite, which Max and Exp would
// hide. The buffer is padded to whole blocks.
HWY_INLINE float Exponentials(float* scores, int count, int padded) {
  const F32 d;
  std::fill(scores + count, scores + padded,
            std::numeric_limits<float>::lowest());
  V tops = hn::LoadU(d, scores);
  for (int t = kLanes; t < padded; t += kLanes) {
    tops = hn::Max(tops, hn::LoadU(d, scores + t));
  }
  tops = hn::MaxOfLanes(d, tops);
  V sums = hn::Zero(d);
  V poison = hn::Zero(d);  // 0 * score: zero, or NaN.
  for (int t = 0; t < padded; t += kLanes) {
    const V score = hn::LoadU(d, scores + t);
    poison = hn::MulAdd(score, hn::Zero(d), poison);
    const V e = hn::Exp(d, hn::Sub(score, tops));
    hn::StoreU(e, d, scores + t);
    sums = hn::Add(sums, e);
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(sums, poison)));
}

// out[q] += weights[q] . values over the tokens [begin, end) in rising order,
// for Q queries and D vectors of the head. values: [kBlockTokens, head_size]
// each.
template <int Q, int D, typename T>
HWY_INLINE void ValueTile(const float* weights, std::ptrdiff_t stride,
                          const void* const* values, std::ptrdiff_t offset,
                          int begin, int end, int head_size, float* const* out,
                          int first) {
  const F32 d;
  V sums[Q][D];
  for (int q = 0; q < Q; ++q) {
    for (int v = 0; v < D; ++v) {
      sums[q][v] = hn::LoadU(d, out[q] + first + v * kLanes);
    }
  }
  for (int t = begin; t < end;) {
    const int block = t / kBlockTokens;
    const int stop = std::min(end, (block + 1) * kBlockTokens);
    const T* from = static_cast<const T*>(values[block]) + offset + first +
                    static_cast<std::ptrdiff_t>(t % kBlockTokens) * head_size;
    // The same place in the next block; in this block if it is the last.
    const T* ahead = static_cast<const T*>(values[block + (stop < end)]) +
                     (from - static_cast<const T*>(values[block]));
    for (; t < stop; ++t, from += head_size, ahead += head_size) {
      V x[D];
      for (int v = 0; v < D; ++v) {
        hwy::Prefetch(ahead + v * kLanes);
        x[v] = Load(from + v * kLanes);
      }
      for (int q = 0; q < Q; ++q) {
        const V w = hn::Set(d, weights[q * stride + t]);
        for (int v = 0; v < D; ++v)
          sums[q][v] = hn::MulAdd(w, x[v], sums[q][v]);
      }
    }
  }
  for (int q = 0; q < Q; ++q) {
    for (int v = 0; v < D; ++v) {
      hn::StoreU(sums[q][v], d, out[q] + first + v * kLanes);
    }
  }
}

template <int Q, typename T>
HWY_INLINE void ValueRows(const float* weights, std::ptrdiff_t stride,
                          const void* const* values, std::ptrdiff_t offset,
                          int begin, int end, int head_size,
                          float* const* out) {
  int i = 0;
  for (; i + kValueVectors * kLanes <= head_size; i += kValueVectors * kLanes) {
    ValueTile<Q, kValueVectors, T>(weights, stride, values, offset, begin, end,
                                   head_size, out, i);
  }
  for (; i + kLanes <= head_size; i += kLanes) {
    ValueTile<Q, 1, T>(weights, stride, values, offset, begin, end, head_size,
                       out, i);
  }
  for (; i < head_size; ++i) {
    for (int q = 0; q < Q; ++q) {
      float sum = out[q][i];
      for (int t = begin; t < end; ++t) {
        const T* from =
            static_cast<const T*>(values[t / kBlockTokens]) + offset;
        sum = std::fma(weights[q * stride + t],
                       LoadOne(from + t % kBlockTokens * head_size + i), sum);
      }
      out[q][i] = sum;
    }
  }
}

template <typename T>
HWY_INLINE void AddValues(int count, const float* weights,
                          std::ptrdiff_t stride, const void* const* values,
                          std::ptrdiff_t offset, int begin, int end,
                          int head_size, float* const* out) {
  int q = 0;
  for (; q + kValueQueries <= count; q += kValueQueries) {
    ValueRows<kValueQueries, T>(weights + q * stride, stride, values, offset,
                                begin, end, head_size, out + q);
  }
  for (; q + 3 <= count; q += 3) {
    ValueRows<3, T>(weights + q * stride, stride, values, offset, begin, end,
                    head_size, out + q);
  }
  for (; q < count; ++q) {
    ValueRows<1, T>(weights + q * stride, stride, values, offset, begin, end,
                    head_size, out + q);
  }
}

// Computes the scores of some queries with all keys of the first `blocks`
// blocks.
// scores: [queries, stride]
template <typename T>
HWY_INLINE void AllScores(const AttentionTile& tile, int blocks,
                          std::ptrdiff_t offset, int queries,
                          const float* const* from, int size, float scale,
                          float* scores, std::ptrdiff_t stride) {
  int b = 0;
  const T* keys[kBlocks];
  const T* ahead[kBlocks];
  // The first values follow the last keys.
  const auto block_of = [&](int block) {
    const void* at =
        block < blocks
            ? tile.first->keys[block]
            : tile.first->values[std::min(block - blocks, blocks - 1)];
    return static_cast<const T*>(at) + offset;
  };
  for (; b + kBlocks <= blocks; b += kBlocks) {
    for (int i = 0; i < kBlocks; ++i) {
      keys[i] = block_of(b + i);
      ahead[i] = block_of(b + kBlocks + i);
    }
    ScoreTiles<kBlocks, T>(queries, from, keys, ahead, size, scale,
                           scores + b * kBlockTokens, stride);
  }
  for (; b < blocks; ++b) {
    keys[0] = block_of(b);
    ahead[0] = block_of(b + 1);
    ScoreTiles<1, T>(queries, from, keys, ahead, size, scale,
                     scores + b * kBlockTokens, stride);
  }
}

// Attention of some query heads that share a kv head, for some rows. T: float,
// bfloat16_t or float16_t.
template <typename T>
void AttendTileIn(const AttentionShape& shape, const AttentionTile& tile,
                  int first_head, int group, const float* q,
                  std::ptrdiff_t q_stride, float* out,
                  std::ptrdiff_t out_stride, std::vector<float>& scratch) {
  const int kv_head = first_head / (shape.heads / shape.kv_heads);
  const int size = shape.head_size;
  const int queries = tile.rows * group;
  const int first_count = tile.first->position + 1;
  const int blocks =
      (first_count + tile.rows - 1 + kBlockTokens - 1) / kBlockTokens;
  // An odd number of cache lines between queries.
  const std::ptrdiff_t stride =
      static_cast<std::ptrdiff_t>(blocks) * kBlockTokens +
      (blocks % 2 == 0 ? kBlockTokens : 0);
  const float scale = 1.0f / std::sqrt(static_cast<float>(size));
  const std::ptrdiff_t offset =
      static_cast<std::ptrdiff_t>(kv_head) * size * kBlockTokens;
  if (scratch.size() < static_cast<std::size_t>(stride) * queries) {
    scratch.resize(static_cast<std::size_t>(stride) * queries);
  }
  const float* from[kMostQueries];
  float* to[kMostQueries];
  for (int r = 0; r < tile.rows; ++r) {
    for (int g = 0; g < group; ++g) {
      const std::ptrdiff_t head =
          static_cast<std::ptrdiff_t>(first_head + g) * size;
      from[r * group + g] = q + r * q_stride + head;
      to[r * group + g] = out + r * out_stride + head;
    }
  }

  AllScores<T>(tile, blocks, offset, queries, from, size, scale, scratch.data(),
               stride);

  float sums[kMostQueries];
  for (int i = 0; i < queries; ++i) {
    const int count = first_count + i / group;
    const int padded = (count + kBlockTokens - 1) / kBlockTokens * kBlockTokens;
    sums[i] = Exponentials(scratch.data() + i * stride, count, padded);
    std::fill_n(to[i], size, 0.0f);
  }
  // First the positions that all rows attend to, then those of each row after
  // the first.
  const void* const* values = tile.first->values;
  AddValues<T>(queries, scratch.data(), stride, values, offset, 0, first_count,
               size, to);
  for (int r = 1; r < tile.rows; ++r) {
    AddValues<T>(group, scratch.data() + r * group * stride, stride, values,
                 offset, first_count, first_count + r, size, to + r * group);
  }
  for (int i = 0; i < queries; ++i) {
    const float inverse = 1.0f / sums[i];
    for (int j = 0; j < size; ++j) to[i][j] *= inverse;
  }
}

void AttendTile(const AttentionShape& shape, const AttentionTile& tile,
                int first_head, int heads, const float* q,
                std::ptrdiff_t q_stride, float* out, std::ptrdiff_t out_stride,
                std::vector<float>& scratch) {
  const auto attend = [&]<typename T>(T /*type*/) {
    AttendTileIn<T>(shape, tile, first_head, heads, q, q_stride, out,
                    out_stride, scratch);
  };
  switch (shape.cache_type) {
    case CacheType::kFloat32:
      return attend(float());
    case CacheType::kBf16:
      return attend(hwy::bfloat16_t());
    case CacheType::kF16:
      return attend(hwy::float16_t());
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace apollo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apollo {

HWY_EXPORT(AttendTile);

namespace {

float AsIs(float x) { return x; }

template <typename T, T (*kStored)(float)>
void Store(const AttentionShape& shape, const float* key, const float* value,
           int slot, void* to_keys, void* to_values) {
  T* block_keys = static_cast<T*>(to_keys);
  T* block_values = static_cast<T*>(to_values);
  const int size = shape.head_size;
  for (int h = 0; h < shape.kv_heads; ++h) {
    const std::ptrdiff_t head =
        static_cast<std::ptrdiff_t>(h) * size * kBlockTokens;
    T* keys = block_keys + head;
    T* values = block_values + head + static_cast<std::ptrdiff_t>(slot) * size;
    for (int i = 0; i < size; ++i) {
      values[i] = kStored(value[h * size + i]);
    }
    for (int i = 0; i < size; ++i) {
      keys[i * kBlockTokens + slot] = kStored(key[h * size + i]);
    }
  }
}

}  // namespace

void StoreKeyValue(const AttentionShape& shape, const float* key,
                   const float* value, int slot, void* block_keys,
                   void* block_values) {
  switch (shape.cache_type) {
    case CacheType::kFloat32:
      return Store<float, AsIs>(shape, key, value, slot, block_keys,
                                block_values);
    case CacheType::kBf16:
      return Store<std::uint16_t, Bf16BitsFromF32>(shape, key, value, slot,
                                                   block_keys, block_values);
    case CacheType::kF16:
      return Store<std::uint16_t, F16BitsFromF32>(shape, key, value, slot,
                                                  block_keys, block_values);
  }
}

void Attention(const AttentionShape& shape, std::span<const AttentionRow> rows,
               const float* q, int q_stride, float* out, int out_stride,
               ThreadPool& pool) {
  // Heads that share a kv head are grouped, as many as fit into a tile.
  const int sharing = shape.heads / shape.kv_heads;
  const int parts = (sharing + kMostQueries - 1) / kMostQueries;
  const int group = (sharing + parts - 1) / parts;
  // Adjacent rows of one sequence share the loads of its keys and values. (The
  // scores fill about half of the second-level cache.)
  std::vector<AttentionTile> tiles;
  std::int64_t work = 0;  // Multiply-adds.
  for (const AttentionRow& row : rows) {
    work += static_cast<std::int64_t>(row.position + 1) * shape.head_size *
            shape.heads * 2;
    if (!tiles.empty()) {
      AttentionTile& last = tiles.back();
      const std::int64_t queries =
          static_cast<std::int64_t>(last.rows + 1) * group;
      if (row.keys == last.first->keys &&
          row.position == last.first->position + last.rows &&
          queries <= kMostQueries && queries * row.position <= (64 << 10)) {
        ++last.rows;
        continue;
      }
    }
    tiles.push_back({&row, 1});
  }
  const auto count = static_cast<std::int64_t>(tiles.size());
  const std::int64_t items = count * shape.kv_heads * parts;
  if (items == 0) return;
  // Multiply-adds.
  pool.ParallelFor(items, 40000 / (work / items + 1) + 1,
                   [&](std::int64_t begin, std::int64_t end) {
                     static thread_local std::vector<float> scratch;
                     for (std::int64_t item = begin; item < end; ++item) {
                       // Long rows first, so that threads finish together.
                       const AttentionTile& tile =
                           tiles[count - 1 - item % count];
                       const std::ptrdiff_t r = tile.first - rows.data();
                       const int part = static_cast<int>(item / count);
                       const int first = part % parts * group;
                       HWY_DYNAMIC_DISPATCH(AttendTile)
                       (shape, tile, part / parts * sharing + first,
                        std::min(group, sharing - first), q + r * q_stride,
                        q_stride, out + r * out_stride, out_stride, scratch);
                     }
                   });
}

}  // namespace apollo
#endif  // HWY_ONCE
