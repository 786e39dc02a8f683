#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/logit_keys.h"
#include "kernels/cuda/simt.cuh"

// Searches of a thread block in the logits of one row, without sorting them.
namespace apollo::cuda {

inline constexpr int kSampleThreads = 1024;

// Combines a value of each thread, in a fixed order, in all threads.
template <typename T, typename Combine>
__device__ __forceinline__ T BlockReduce(T value, Combine combine) {
  __shared__ T parts[kSampleThreads / 32];
#pragma unroll
  for (int i = 16; i > 0; i /= 2) {
    value = combine(value, __shfl_xor_sync(~0u, value, i));
  }
  __syncthreads();  // An earlier result may still be in use.
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  value = parts[threadIdx.x % 32];
#pragma unroll
  for (int i = 16; i > 0; i /= 2) {
    value = combine(value, __shfl_xor_sync(~0u, value, i));
  }
  return value;
}
template <typename T>
__device__ __forceinline__ T BlockTotal(T value) {
  return BlockReduce(value, [](T a, T b) { return a + b; });
}
__device__ __forceinline__ unsigned long long BlockMax(
    unsigned long long value) {
  return BlockReduce(value, [](unsigned long long a, unsigned long long b) {
    return a > b ? a : b;
  });
}
__device__ __forceinline__ unsigned long long BlockMin(
    unsigned long long value) {
  return BlockReduce(value, [](unsigned long long a, unsigned long long b) {
    return a < b ? a : b;
  });
}

// The logits of a row and the weights of its tokens, exp((logit - top) /
// temperature).
struct TokenRow {
  const float* logits;
  int vocab;
  float top;
  float temperature;

  __device__ __forceinline__ unsigned long long Key(int token) const {
    return LogitKey(__float_as_uint(logits[token]),
                    static_cast<std::uint32_t>(token));
  }
  __device__ __forceinline__ double Weight(int token) const {
    return expf((logits[token] - top) / temperature);
  }
};

// The tokens whose keys are at least a bound: their number and weight, the
// smallest of their keys, and the largest key below the bound.
struct Tally {
  unsigned count = 0;
  double weight = 0;
  unsigned long long least = ~0ull;
  unsigned long long below = 0;
};

__device__ inline Tally TallyFrom(const TokenRow& row,
                                  unsigned long long bound) {
  Tally tally;
  for (int i = static_cast<int>(threadIdx.x); i < row.vocab;
       i += kSampleThreads) {
    const unsigned long long key = row.Key(i);
    if (key < bound) {
      if (key > tally.below) tally.below = key;
      continue;
    }
    if (key < tally.least) tally.least = key;
    ++tally.count;
    tally.weight += row.Weight(i);
  }
  tally.count = BlockTotal(tally.count);
  tally.weight = BlockTotal(tally.weight);
  tally.least = BlockMin(tally.least);
  tally.below = BlockMax(tally.below);
  return tally;
}

// Returns the key of the first token, in falling order, for which `reached`
// accepts the tally of the tokens up to it. Keys from `low`, which is accepted
// without asking, to `high`; both are keys of tokens. Each step halves the
// range and moves its ends to keys of tokens.
template <typename Reached>
__device__ unsigned long long Search(const TokenRow& row,
                                     unsigned long long low,
                                     unsigned long long high, Reached reached) {
  while (low < high) {
    const unsigned long long middle = high - (high - low) / 2;  // Above low.
    const Tally tally = TallyFrom(row, middle);
    if (reached(tally)) {
      low = tally.least;
    } else {
      high = tally.below;
    }
  }
  return low;
}

}  // namespace apollo::cuda
