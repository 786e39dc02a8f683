#pragma once

#include <cstdint>
#include <vector>

namespace apollo {

// All take logits [size] with size >= 1. Which instructions are used shows in
// the last bits of the sums, and nothing else does.

// log(sum(exp(logits))). The log-probability of token t is logits[t] minus
// this. Not a number if any logit is infinite or not a number.
float LogSumExp(const float* logits, int size);

// sum(exp((logits - top) * scale)), where top is the largest of the logits,
// which are finite, and scale >= 0. Right to about 1e-6 of it.
double SumExp(const float* logits, int size, float top, float scale);

// The tokens whose logits are at least `least`, the lowest first.
std::vector<std::int32_t> TokensAtLeast(const float* logits, int size,
                                        float least);

// The tokens of the `count` largest logits (or all, if there are fewer) in
// falling order; of equal ones the lower token first.
std::vector<std::int32_t> TopTokens(const float* logits, int size, int count);

// The largest logit's token; of equal ones the lowest. NaN is never chosen
// unless all are.
std::int32_t ArgMax(const float* logits, int size);

}  // namespace apollo
