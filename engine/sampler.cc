#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/logits.h"

namespace apollo {
namespace {

std::uint64_t Mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// Draws among the top-k / top-p set of softmax(logits / temperature).
std::int32_t Draw(const float* logits, int vocab, const SamplingOptions& options,
                  double uniform) {
  std::vector<std::int32_t> order(vocab);
  std::iota(order.begin(), order.end(), 0);
  const auto falling = [logits](std::int32_t a, std::int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  int count = vocab;
  if (options.top_k > 0 && options.top_k < vocab) {
    count = options.top_k;
    std::partial_sort(order.begin(), order.begin() + count, order.end(),
                      falling);
  } else {
    std::sort(order.begin(), order.end(), falling);
  }
  std::vector<double> p(count);
  double sum = 0;
  for (int i = 0; i < count; ++i) {
    p[i] = std::exp((static_cast<double>(logits[order[i]]) - logits[order[0]]) /
                    options.temperature);
    sum += p[i];
  }
  // The smallest set that reaches top_p of the mass; then draw from its mass.
  double mass = 0;
  int kept = 0;
  while (kept < count && (kept == 0 || mass < options.top_p * sum)) {
    mass += p[kept++];
  }
  double rest = uniform * mass;
  for (int i = 0; i < kept; ++i) {
    rest -= p[i];
    if (rest < 0) return order[i];
  }
  return order[kept - 1];  // Rounding only.
}

}  // namespace

double UniformAt(std::uint64_t seed, std::uint64_t position) {
  // Two rounds, so that neither neighbouring seeds nor positions are related.
  const std::uint64_t z =
      Mix(Mix(seed + 0x9e3779b97f4a7c15u) + (position + 1) * 0x9e3779b97f4a7c15u);
  return static_cast<double>(z >> 11) * 0x1.0p-53;
}

SampledToken Sample(float* logits, int vocab, const SamplingOptions& options,
                    const TokenCounts& generated, std::uint64_t position,
                    int top_logprobs) {
  SampledToken result;
  const float log_sum = LogSumExp(logits, vocab);
  if (!std::isfinite(log_sum)) {
    result.logprob = std::numeric_limits<float>::quiet_NaN();
    return result;
  }
  if (top_logprobs > 0) {
    for (const std::int32_t token : TopTokens(logits, vocab, top_logprobs)) {
      result.alternatives.push_back({token, logits[token] - log_sum});
    }
  }
  std::map<std::int32_t, float> before;
  if (options.presence_penalty != 0 || options.frequency_penalty != 0) {
    for (const auto& [token, count] : generated) {
      before[token] = logits[token];
      logits[token] -= options.presence_penalty +
                       options.frequency_penalty * static_cast<float>(count);
    }
  }
  result.token = options.temperature > 0
                     ? Draw(logits, vocab, options,
                            UniformAt(options.seed, position))
                     : ArgMax(logits, vocab);
  const auto it = before.find(result.token);
  result.logprob =
      (it != before.end() ? it->second : logits[result.token]) - log_sum;
  return result;
}

}  // namespace apollo
