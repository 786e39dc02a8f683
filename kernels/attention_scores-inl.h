// Scores of queries with blocks of keys, for attention.cc: compiled once for
// each instruction set, so the guard is Highway's.

#if defined(APOLLO_KERNELS_ATTENTION_SCORES_INL_H_) == \
    defined(HWY_TARGET_TOGGLE)
#ifdef APOLLO_KERNELS_ATTENTION_SCORES_INL_H_
#undef APOLLO_KERNELS_ATTENTION_SCORES_INL_H_
#else
#define APOLLO_KERNELS_ATTENTION_SCORES_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstddef>
#include <type_traits>

#include "kernels/attention_vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace apollo {
namespace HWY_NAMESPACE {

// Blocks of keys, times kQueries, whose sums stay in registers.
constexpr int kKeyBlocks = kVectors == 1 ? 4 : 1;

struct ScoreProblem {
  const float* const* queries;  // [count] pointers to [size].
  int count;
  int size;
  float scale;
  float* scores;          // [count, stride]: of the current blocks.
  std::ptrdiff_t stride;  // A multiple of kBlockTokens.
  float* tops;            // [count, kLanes]: the largest scores per lane.
  float* widened;         // Room for kKeyBlocks blocks of keys.
};

// scores[q][t] = scale * q . key t, for Q queries from `first` and the tokens
// of B blocks; tops[q] = max(tops[q], scores[q]). keys: [size, kBlockTokens]
// each, so that lanes are tokens, no sum crosses lanes, and each sum is one
// chain over the head. kFirst: of the tiles for these keys, the first one.
// It prefetches `ahead`, the keys of the next blocks, whose location the
// hardware cannot predict; with kKeep it stores the keys as float32.
template <int Q, int B, bool kFirst, bool kKeep, typename T>
HWY_INLINE void ScoreTile(const ScoreProblem& p, int first,
                          const T* const* keys, const T* const* ahead) {
  const F32 d;
  V sums[Q][B * kVectors];
  const float* x[Q];
  for (int q = 0; q < Q; ++q) {
    x[q] = p.queries[first + q];
    for (int v = 0; v < B * kVectors; ++v) sums[q][v] = hn::Zero(d);
  }
  // Copies, because the stores below might alias the originals.
  const T* from[B];
  const T* next[B];
  float* keep[B];
  for (int b = 0; b < B; ++b) {
    from[b] = keys[b];
    if constexpr (kFirst) next[b] = ahead[b];
    if constexpr (kKeep) keep[b] = p.widened + b * p.size * kBlockTokens;
  }
  const int size = p.size;
  for (int i = 0; i < size; ++i) {
    V k[B * kVectors];
    for (int b = 0; b < B; ++b) {
      if constexpr (kFirst) hwy::Prefetch(next[b] + i * kBlockTokens);
      for (int v = 0; v < kVectors; ++v) {
        const int at = i * kBlockTokens + v * kLanes;
        k[b * kVectors + v] = Load(from[b] + at);
        if constexpr (kKeep) hn::Store(k[b * kVectors + v], d, keep[b] + at);
      }
    }
    for (int q = 0; q < Q; ++q) {
      const V xs = hn::Set(d, x[q][i]);
      for (int v = 0; v < B * kVectors; ++v) {
        sums[q][v] = hn::MulAdd(xs, k[v], sums[q][v]);
      }
    }
  }
  const V scales = hn::Set(d, p.scale);
  for (int q = 0; q < Q; ++q) {
    V top = hn::Load(d, p.tops + (first + q) * kLanes);
    for (int v = 0; v < B * kVectors; ++v) {
      const V score = hn::Mul(sums[q][v], scales);
      top = hn::Max(top, score);
      hn::Store(score, d, p.scores + (first + q) * p.stride + v * kLanes);
    }
    hn::Store(top, d, p.tops + (first + q) * kLanes);
  }
}

// Scores of all queries from `first` with B blocks of keys.
template <int B, bool kFirst, typename T>
HWY_INLINE void FewScores(const ScoreProblem& p, int first,
                          const T* const* keys, const T* const* ahead) {
  int q = first;
  for (; q + 3 <= p.count; q += 3) {
    ScoreTile<3, B, kFirst, false>(p, q, keys, ahead);
  }
  for (; q < p.count; ++q) {
    ScoreTile<1, B, kFirst, false>(p, q, keys, ahead);
  }
}

// The same for at least kQueries queries, where the first ones widen the keys
// for the others.
template <int B, typename T>
HWY_INLINE void ManyScores(const ScoreProblem& p, const T* const* keys,
                           const T* const* ahead) {
  constexpr bool kKeep = !std::is_same_v<T, float>;
  ScoreTile<kQueries, B, true, kKeep>(p, 0, keys, ahead);
  const float* wide[B];
  for (int b = 0; b < B; ++b) {
    if constexpr (kKeep) {
      wide[b] = p.widened + b * p.size * kBlockTokens;
    } else {
      wide[b] = keys[b];
    }
  }
  int q = kQueries;
  for (; q + kQueries <= p.count; q += kQueries) {
    ScoreTile<kQueries, B, false, false, float>(p, q, wide, nullptr);
  }
  FewScores<B, false, float>(p, q, wide, nullptr);
}

template <int B, typename T>
HWY_INLINE void ScoresOfBlocks(const ScoreProblem& p, const T* const* keys,
                               const T* const* ahead) {
  if (p.count >= kQueries) {
    ManyScores<B, T>(p, keys, ahead);
  } else {
    FewScores<B, true, T>(p, 0, keys, ahead);
  }
}

// Computes the scores of all queries with the keys of blocks [begin, end), and
// p.tops. block_of(b) returns the keys of block b, and something harmless from
// `end` on.
template <typename T, typename BlockOf>
HWY_INLINE void AllScores(ScoreProblem p, int begin, int end,
                          BlockOf block_of) {
  const T* keys[kKeyBlocks];
  const T* ahead[kKeyBlocks];
  float* const scores = p.scores;
  for (int b = begin; b < end;) {
    const int blocks = b + kKeyBlocks <= end ? kKeyBlocks : 1;
    for (int i = 0; i < blocks; ++i) {
      keys[i] = block_of(b + i);
      ahead[i] = block_of(b + blocks + i);
    }
    p.scores = scores + b * kBlockTokens;
    if (blocks == kKeyBlocks) {
      ScoresOfBlocks<kKeyBlocks, T>(p, keys, ahead);
    } else {
      ScoresOfBlocks<1, T>(p, keys, ahead);
    }
    b += blocks;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace apollo
HWY_AFTER_NAMESPACE();

#endif  // Highway's guard.
