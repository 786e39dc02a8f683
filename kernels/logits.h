#pragma once

#include <cstdint>
#include <vector>

namespace apollo {

// All functions take logits [size] with size >= 1. The instruction set affects
// only the last bits of sums.

// Returns log(sum(exp(logits))). The log-probability of token t is logits[t]
// minus this. Returns NaN if any logit is infinite or NaN.
float LogSumExp(const float* logits, int size);

// Returns sum(exp((logits - top) * scale)) with a relative error of about 1e-6.
// top: the largest logit. The logits must be finite; scale >= 0.
double SumExp(const float* logits, int size, float top, float scale);

// Returns the tokens whose logits are at least `least`, in ascending order.
std::vector<std::int32_t> TokensAtLeast(const float* logits, int size,
                                        float least);

// Returns the tokens of the `count` largest logits (or all, if there are fewer)
// in falling order of logits. Ties go to the lower token first.
std::vector<std::int32_t> TopTokens(const float* logits, int size, int count);

// Returns the token of the largest logit; ties go to the lowest. Returns the
// token of a NaN only if all logits are NaN.
std::int32_t ArgMax(const float* logits, int size);

}  // namespace apollo
