#pragma once

#include <cstdint>
#include <vector>

namespace apollo {

struct TokenLogprob {
  std::int32_t token = 0;
  float logprob = 0;
};

// log(sum(exp(logits))), with the sum in double.  logits: [size], size >= 1.
// The log-probability of token t is logits[t] minus this.
float LogSumExp(const float* logits, int size);

// The `count` largest logits in falling order (of equal ones the lower token
// first), as log-probabilities.
std::vector<TokenLogprob> TopLogprobs(const float* logits, int size,
                                      float log_sum_exp, int count);

// The largest logit's token; of equal ones the lowest. NaN is never chosen
// unless all are.
std::int32_t ArgMax(const float* logits, int size);

}  // namespace apollo
