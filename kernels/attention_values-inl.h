// Weighted sums of values, for attention.cc: compiled once for each instruction
// set, so the guard is Highway's.

#if defined(APOLLO_KERNELS_ATTENTION_VALUES_INL_H_) == \
    defined(HWY_TARGET_TOGGLE)
#ifdef APOLLO_KERNELS_ATTENTION_VALUES_INL_H_
#undef APOLLO_KERNELS_ATTENTION_VALUES_INL_H_
#else
#define APOLLO_KERNELS_ATTENTION_VALUES_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>

#include "kernels/attention_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace apollo {
namespace HWY_NAMESPACE {

// Vectors of a head, times kQueries, whose sums stay in registers.
constexpr int kValueVectors = kVectors == 1 ? 4 : 2;
constexpr int kColumns = kValueVectors * kLanes;

// Tokens whose weights, and whose values for kColumns columns, stay in the
// first-level cache while all queries use them.
constexpr int kChunkBlocks = kVectors == 1 ? 4 : 8;
constexpr int kChunk = kChunkBlocks * kBlockTokens;

// Adds the values of some tokens of a chunk of kChunk to the sums of queries.
struct ValueProblem {
  const float* weights;       // [count, kChunk]: by token of the chunk.
  const void* const* values;  // [last + 1] blocks, from the chunk's first one.
  int last;                   // May be beyond the chunk.
  std::ptrdiff_t offset;      // Of the kv head in a block.
  int size;                   // Of a head.
  int begin;                  // The tokens.
  int end;
  float* const* out;  // [count] pointers to [size].
  int count;
  float* widened;  // [kChunk, kColumns]
};

// sums += weights[q] * x, for one token and Q queries.
template <int Q, int D>
HWY_INLINE void AddToken(const float* weights, const V* x, V (&sums)[Q][D]) {
  for (int q = 0; q < Q; ++q) {
    const V w = hn::Set(F32(), weights[q * kChunk]);
    for (int v = 0; v < D; ++v) sums[q][v] = hn::MulAdd(w, x[v], sums[q][v]);
  }
}

template <int Q, int D>
HWY_INLINE void LoadSums(float* const* out, int column, V (&sums)[Q][D]) {
  for (int q = 0; q < Q; ++q) {
    for (int v = 0; v < D; ++v) {
      sums[q][v] = hn::LoadU(F32(), out[q] + column + v * kLanes);
    }
  }
}

template <int Q, int D>
HWY_INLINE void StoreSums(const V (&sums)[Q][D], int column,
                          float* const* out) {
  for (int q = 0; q < Q; ++q) {
    for (int v = 0; v < D; ++v) {
      hn::StoreU(sums[q][v], F32(), out[q] + column + v * kLanes);
    }
  }
}

// Adds D vectors from `column` to the sums of Q queries from `first`, in rising
// order of tokens. Values are [kBlockTokens, size]. Also prefetches values,
// whose location the hardware cannot predict. With kKeep, stores the values as
// float32 for other queries, so the prefetched ones are those of the next
// chunk.
template <int Q, int D, bool kKeep, typename T>
HWY_INLINE void ValueTile(const ValueProblem& p, int first, int column) {
  V sums[Q][D];
  LoadSums(p.out + first, column, sums);
  const float* weights = p.weights + first * kChunk;
  float* const keep = p.widened;
  constexpr int kAhead = kKeep ? kChunkBlocks : 1;  // Blocks.
  const std::ptrdiff_t size = p.size;
  for (int t = p.begin; t < p.end;) {
    const int block = t / kBlockTokens;
    const int stop = std::min(p.end, (block + 1) * kBlockTokens);
    const std::ptrdiff_t at = p.offset + column + t % kBlockTokens * size;
    const T* from = static_cast<const T*>(p.values[block]) + at;
    const T* ahead =
        static_cast<const T*>(p.values[std::min(block + kAhead, p.last)]) + at;
    for (; t < stop; ++t, from += size, ahead += size) {
      hwy::Prefetch(ahead);
      V x[D];
      for (int v = 0; v < D; ++v) {
        x[v] = Load(from + v * kLanes);
        if constexpr (kKeep) {
          hn::Store(x[v], F32(), keep + t * kColumns + v * kLanes);
        }
      }
      AddToken(weights + t, x, sums);
    }
  }
  StoreSums(sums, column, p.out + first);
}

// The same with the values that ValueTile has kept.
template <int Q>
HWY_INLINE void WidenedTile(const ValueProblem& p, int first, int column) {
  V sums[Q][kValueVectors];
  LoadSums(p.out + first, column, sums);
  const float* weights = p.weights + first * kChunk;
  const float* const widened = p.widened;
  const int end = p.end;
  for (int t = p.begin; t < end; ++t) {
    V x[kValueVectors];
    for (int v = 0; v < kValueVectors; ++v) {
      x[v] = hn::Load(F32(), widened + t * kColumns + v * kLanes);
    }
    AddToken(weights + t, x, sums);
  }
  StoreSums(sums, column, p.out + first);
}

// Adds D vectors for all queries.
template <int D, typename T>
HWY_INLINE void FewValues(const ValueProblem& p, int column) {
  int q = 0;
  for (; q + 3 <= p.count; q += 3) ValueTile<3, D, false, T>(p, q, column);
  for (; q < p.count; ++q) ValueTile<1, D, false, T>(p, q, column);
}

// Adds kColumns columns for at least kQueries queries; the first ones widen the
// values for the others.
template <typename T>
HWY_INLINE void ManyValues(const ValueProblem& p, int column) {
  ValueTile<kQueries, kValueVectors, true, T>(p, 0, column);
  int q = kQueries;
  for (; q + kQueries <= p.count; q += kQueries) {
    WidenedTile<kQueries>(p, q, column);
  }
  for (; q + 3 <= p.count; q += 3) WidenedTile<3>(p, q, column);
  for (; q < p.count; ++q) WidenedTile<1>(p, q, column);
}

// Adds one column, which is beyond the last whole vector.
template <typename T>
HWY_INLINE void OneColumn(const ValueProblem& p, int column) {
  for (int q = 0; q < p.count; ++q) {
    float sum = p.out[q][column];
    for (int t = p.begin; t < p.end; ++t) {
      const T* from =
          static_cast<const T*>(p.values[t / kBlockTokens]) + p.offset;
      sum = std::fma(p.weights[q * kChunk + t],
                     LoadOne(from + t % kBlockTokens * p.size + column), sum);
    }
    p.out[q][column] = sum;
  }
}

// out[q] += weights[q] . values over the tokens [begin, end) in rising order.
template <typename T>
HWY_INLINE void AddValues(const ValueProblem& p) {
  int i = 0;
  for (; i + kColumns <= p.size; i += kColumns) {
    if (p.count >= kQueries) {
      ManyValues<T>(p, i);
    } else {
      FewValues<kValueVectors, T>(p, i);
    }
  }
  for (; i + kLanes <= p.size; i += kLanes) FewValues<1, T>(p, i);
  for (; i < p.size; ++i) OneColumn<T>(p, i);
}

}  // namespace HWY_NAMESPACE
}  // namespace apollo
HWY_AFTER_NAMESPACE();

#endif  // Highway's guard.
