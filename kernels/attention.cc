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
#include <hwy/aligned_allocator.h>
#include <hwy/foreach_target.h>  // Must come before highway.h.
#include <hwy/highway.h>
// After highway.h.
#include "kernels/attention_scores-inl.h"
#include "kernels/attention_values-inl.h"
#include "kernels/exp-inl.h"

#ifndef APOLLO_KERNELS_ATTENTION_ONCE
#define APOLLO_KERNELS_ATTENTION_ONCE
namespace apollo {
namespace {

// Maximum number of queries (rows times heads that share a kv head) per tile.
constexpr int kMostQueries = 24;

// Maximum number of scores of a tile with several rows: 2 MiB. They are written
// and read once, in order, and so need not stay in a near cache.
constexpr std::int64_t kMostScores = std::int64_t{512} << 10;

// Adjacent rows of one sequence.
struct AttentionTile {
  const AttentionRow* first;
  int rows;
};

// Memory of a thread, aligned for vectors and reused from tile to tile.
class AttentionScratch {
 public:
  // Room for this many scores, and this many widened keys or values. The
  // previous content is lost.
  void Reserve(std::size_t scores, std::size_t widened) {
    Grow(scores, scores_);
    Grow(widened, widened_);
  }
  float* scores() { return scores_.data.get(); }
  float* widened() { return widened_.data.get(); }

 private:
  struct Buffer {
    hwy::AlignedFreeUniquePtr<float[]> data;
    std::size_t size = 0;
  };
  static void Grow(std::size_t size, Buffer& buffer) {
    if (size <= buffer.size) return;
    buffer.data = hwy::AllocateAligned<float>(size);
    buffer.size = size;
  }
  Buffer scores_, widened_;
};

}  // namespace
}  // namespace apollo
#endif

HWY_BEFORE_NAMESPACE();
namespace apollo {
namespace HWY_NAMESPACE {

// The softmax of each query of a tile, chunk by chunk.
struct Softmax {
  HWY_ALIGN float tops[kMostQueries * kLanes];     // Largest scores, per lane.
  HWY_ALIGN float sums[kMostQueries * kLanes];     // Of exponentials, per lane.
  HWY_ALIGN float weights[kMostQueries * kChunk];  // Those of a chunk.
};

// Writes exp(scores - top) for `count` tokens, a multiple of kBlockTokens, to
// `weights` and adds them to `sums`. The sums become NaN if a score is NaN or
// infinite, which Max and Exp would hide.
HWY_INLINE void Exponentials(const float* scores, int count, float top,
                             float* weights, float* sums) {
  const F32 d;
  const V tops = hn::Set(d, top);
  V sum = hn::Load(d, sums);
  V poison = hn::Zero(d);  // 0 * score: zero, or NaN.
  for (int t = 0; t < count; t += kLanes) {
    const V score = hn::Load(d, scores + t);
    poison = hn::MulAdd(score, hn::Zero(d), poison);
    const V e = ExpOfAtMostZero(d, hn::Sub(score, tops));
    hn::Store(e, d, weights + t);
    sum = hn::Add(sum, e);
  }
  hn::Store(hn::Add(sum, poison), d, sums);
}

// Hides the scores of tokens after a query's position, and returns the largest
// of the others. Those of tokens before `whole` are in `tops`.
HWY_INLINE float LargestScore(float* scores, int whole, int count, int padded,
                              const float* tops) {
  const F32 d;
  std::fill(scores + count, scores + padded,
            std::numeric_limits<float>::lowest());
  V top = hn::Load(d, tops);
  for (int t = whole; t < padded; t += kLanes) {
    top = hn::Max(top, hn::Load(d, scores + t));
  }
  return hn::GetLane(hn::MaxOfLanes(d, top));
}

// Attention of some query heads that share a kv head, for some rows. T: float,
// bfloat16_t or float16_t.
template <typename T>
class TileAttention {
 public:
  TileAttention(const AttentionShape& shape, const AttentionTile& tile,
                int first_head, int group, AttentionScratch& scratch)
      : tile_(tile),
        group_(group),
        queries_(tile.rows * group),
        size_(shape.head_size),
        first_count_(tile.first->position + 1),
        blocks_((first_count_ + tile.rows - 1 + kBlockTokens - 1) /
                kBlockTokens),
        // An odd number of cache lines between queries.
        stride_(static_cast<std::ptrdiff_t>(blocks_ | 1) * kBlockTokens),
        offset_(static_cast<std::ptrdiff_t>(first_head /
                                            (shape.heads / shape.kv_heads)) *
                size_ * kBlockTokens),
        scratch_(scratch) {
    scratch.Reserve(
        static_cast<std::size_t>(queries_) * stride_,
        std::max(kKeyBlocks * kBlockTokens * size_, kChunk * kColumns));
  }

  // q, to: [rows, heads], at the first head; rows are the strides apart.
  void Run(const float* q, std::ptrdiff_t q_stride, float* out,
           std::ptrdiff_t out_stride) {
    const float* from[kMostQueries];
    float* to[kMostQueries];
    for (int i = 0; i < queries_; ++i) {
      const std::ptrdiff_t head =
          static_cast<std::ptrdiff_t>(i % group_) * size_;
      from[i] = q + i / group_ * q_stride + head;
      to[i] = out + i / group_ * out_stride + head;
      std::fill_n(to[i], size_, 0.0f);
    }
    Scores(from);
    for (int block = 0; block < blocks_; block += kChunkBlocks) {
      AddChunk(block, to);
    }
    for (int i = 0; i < queries_; ++i) {
      const F32 d;
      const float inverse =
          1.0f / hn::GetLane(hn::SumOfLanes(
                     d, hn::Load(d, softmax_.sums + i * kLanes)));
      for (int j = 0; j < size_; ++j) to[i][j] *= inverse;
    }
  }

 private:
  // Computes all scores, and the largest of each query.
  void Scores(const float* const* from) {
    const F32 d;
    // Blocks with positions of all rows only.
    const int whole = first_count_ / kBlockTokens;
    for (int i = 0; i < queries_; ++i) {
      hn::Store(hn::Set(d, std::numeric_limits<float>::lowest()), d,
                softmax_.tops + i * kLanes);
      hn::Store(hn::Zero(d), d, softmax_.sums + i * kLanes);
    }
    // The first values follow the last keys.
    const auto block_of = [&](int block) {
      const void* at =
          block < blocks_
              ? tile_.first->keys[block]
              : tile_.first->values[std::min(block - blocks_, blocks_ - 1)];
      return static_cast<const T*>(at) + offset_;
    };
    ScoreProblem problem = {
        from,
        queries_,
        size_,
        1.0f / std::sqrt(static_cast<float>(size_)),
        scratch_.scores(),
        stride_,
        softmax_.tops,
        scratch_.widened(),
    };
    AllScores<T>(problem, 0, whole, block_of);
    // These have tokens that do not count, and memory that was never written.
    problem.tops = softmax_.weights;  // Ignored.
    std::fill_n(softmax_.weights, queries_ * kLanes, 0.0f);
    AllScores<T>(problem, whole, blocks_, block_of);
    for (int i = 0; i < queries_; ++i) {
      tops_[i] =
          LargestScore(scratch_.scores() + i * stride_, whole * kBlockTokens,
                       first_count_ + i / group_, blocks_ * kBlockTokens,
                       softmax_.tops + i * kLanes);
    }
  }

  // Adds the values of the chunk from `block`, weighted, to `to`.
  void AddChunk(int block, float* const* to) {
    const int first = block * kBlockTokens;
    const int padded = std::min(kChunk, (blocks_ - block) * kBlockTokens);
    for (int i = 0; i < queries_; ++i) {
      Exponentials(scratch_.scores() + i * stride_ + first, padded, tops_[i],
                   softmax_.weights + i * kChunk, softmax_.sums + i * kLanes);
    }
    ValueProblem problem = {
        softmax_.weights,
        tile_.first->values + block,
        blocks_ - 1 - block,
        offset_,
        size_,
        0,
        std::min(padded, first_count_ - first),
        to,
        queries_,
        scratch_.widened(),
    };
    // First the positions that all rows attend to, then those of each row
    // after the first.
    if (problem.end > 0) AddValues<T>(problem);
    problem.begin = std::max(0, first_count_ - first);
    problem.count = group_;
    for (int r = 1; r < tile_.rows; ++r) {
      problem.end = std::min(padded, first_count_ + r - first);
      if (problem.begin >= problem.end) continue;
      problem.weights = softmax_.weights + r * group_ * kChunk;
      problem.out = to + r * group_;
      AddValues<T>(problem);
    }
  }

  const AttentionTile& tile_;
  const int group_;
  const int queries_;
  const int size_;
  const int first_count_;  // Positions of the first row.
  const int blocks_;       // With those of the last row.
  const std::ptrdiff_t stride_;
  const std::ptrdiff_t offset_;
  AttentionScratch& scratch_;
  float tops_[kMostQueries];
  Softmax softmax_;
};

void AttendTile(const AttentionShape& shape, const AttentionTile& tile,
                int first_head, int heads, const float* q,
                std::ptrdiff_t q_stride, float* out, std::ptrdiff_t out_stride,
                AttentionScratch& scratch) {
  const auto attend = [&]<typename T>(T /*type*/) {
    const std::ptrdiff_t head =
        static_cast<std::ptrdiff_t>(first_head) * shape.head_size;
    TileAttention<T>(shape, tile, first_head, heads, scratch)
        .Run(q + head, q_stride, out + head, out_stride);
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
  // Adjacent rows of one sequence share the loads of its keys and values.
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
          queries <= kMostQueries && queries * row.position <= kMostScores) {
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
                     static thread_local AttentionScratch scratch;
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
