#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "sequence/generation.h"

namespace apollo {

// How often each token was generated.
using TokenCounts = std::map<std::int32_t, int>;

struct SampledToken {
  std::int32_t token = 0;
  // Under the model's own distribution: temperature 1, no penalties, all
  // tokens.
  float logprob = 0;
  std::vector<TokenLogprob> alternatives;  // The most probable, likewise.
};

// A number in [0, 1) that depends on seed and position only, the same on every
// machine: the SplitMix64 finaliser (Steele, Lea and Flood, 2014).
double UniformAt(std::uint64_t seed, std::uint64_t position);

// Chooses the token at `position` of a sequence from its logits  // [vocab]
// Penalties are subtracted first, then temperature, top-k and top-p in that
// order. Equal logits are ordered by token. A function of its arguments alone:
// a sequence continued elsewhere continues alike. `logits` is changed. Where
// they define no probabilities (one is not a number, or infinite), nothing is
// chosen and the logprob is not a number.
SampledToken Sample(float* logits, int vocab, const SamplingOptions& options,
                    const TokenCounts& generated, std::uint64_t position,
                    int top_logprobs);

}  // namespace apollo
