#pragma once

#include <cstdint>
#include <vector>

namespace apollo {

// log(sum(exp(logits))), with the sum in double.  logits: [size], size >= 1.
// The log-probability of token t is logits[t] minus this.
float LogSumExp(const float* logits, int size);

// The tokens of the `count` largest logits (or all, if there are fewer) in falling
// order; of equal ones the lower token first.
std::vector<std::int32_t> TopTokens(const float* logits, int size, int count);

// The largest logit's token; of equal ones the lowest. NaN is never chosen
// unless all are.
std::int32_t ArgMax(const float* logits, int size);

}  // namespace apollo
