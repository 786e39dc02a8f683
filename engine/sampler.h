#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "sequence/generation.h"

namespace apollo {

// Number of times each token was generated.
using TokenCounts = std::map<std::int32_t, int>;

struct SampledToken {
  std::int32_t token = 0;
  // Under the model's own distribution: temperature 1, no bias, no penalties,
  // full vocabulary.
  float logprob = 0;
  // The most probable tokens, under the same distribution.
  std::vector<TokenLogprob> alternatives;
};

// Returns a number in [0, 1) that depends only on seed and position and is the
// same on every machine: the SplitMix64 finaliser (Steele, Lea and Flood,
// 2014).
double UniformAt(std::uint64_t seed, std::uint64_t position);

// Returns the largest difference to the largest logit, at most 0, at which a
// token passes min_p: temperature * log(min_p), since exp(difference /
// temperature) is the ratio of the probabilities. -infinity if min_p is 0.
double MinPMargin(const SamplingOptions& options);

// Samples the token at `position` of a sequence from its logits [vocab].
// Applies bias, penalties, temperature, min-p, top-k and top-p, in that order;
// each of the last three among the tokens that the ones before have left. So
// does vLLM (vllm/v1/sample/sampler.py). Tokens of the bias must be below
// `vocab`. Ties are broken by token id. Depends on its arguments only, so a
// sequence resumed on another worker continues identically. Modifies `logits`.
// If they define no distribution (a logit is NaN or infinite), samples nothing
// and returns a NaN logprob.
SampledToken Sample(float* logits, int vocab, const SamplingOptions& options,
                    const TokenCounts& generated, std::uint64_t position,
                    int top_logprobs);

}  // namespace apollo
