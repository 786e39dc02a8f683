#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "kernels/logits.h"

namespace apollo {
namespace {

std::uint64_t Mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// A token that was drawn, or none if `order` was too short to tell.
// order: the tokens of the largest logits. `all`: there are no others.
std::optional<std::int32_t> DrawAmong(std::vector<std::int32_t> order, bool all,
                                      const float* logits, int vocab,
                                      const SamplingOptions& options,
                                      double uniform) {
  const auto falling = [logits](std::int32_t a, std::int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  const bool cut = options.top_k > 0 && options.top_k < vocab;
  if (cut) {
    if (order.size() < static_cast<std::size_t>(options.top_k)) return std::nullopt;
    std::partial_sort(order.begin(), order.begin() + options.top_k, order.end(),
                      falling);
    order.resize(options.top_k);
  } else {
    std::sort(order.begin(), order.end(), falling);
  }
  std::vector<double> p;
  double sum = 0;
  for (const std::int32_t token : order) {
    p.push_back(std::exp((static_cast<double>(logits[token]) - logits[order[0]]) /
                         options.temperature));
    sum += p.back();
  }
  const bool complete = cut || all;
  if (!complete) {
    // More overflows what 0 may be multiplied by, and means the same.
    const float scale = std::min(1.0f / options.temperature, 1e30f);
    sum = SumExp(logits, vocab, logits[order[0]], scale);
  }
  // The smallest set that reaches top_p of the mass; then draw from its mass.
  double mass = options.top_p < 1 ? 0 : sum;
  std::size_t kept = options.top_p < 1 ? 0 : p.size();
  if (options.top_p < 1) {
    while (kept < p.size() && (kept == 0 || mass < options.top_p * sum)) {
      mass += p[kept++];
    }
    if (!complete && mass < options.top_p * sum) return std::nullopt;
  }
  double rest = uniform * mass;
  for (std::size_t i = 0; i < kept; ++i) {
    rest -= p[i];
    if (rest < 0) return order[i];
  }
  // With all that there is, rounding only.
  if (!complete && options.top_p >= 1) return std::nullopt;
  return order[kept - 1];
}

// Draws among the top-k / top-p set of softmax(logits / temperature). Nearly
// always a few tokens have nearly all of the mass, and only those are sorted.
std::int32_t Draw(const float* logits, int vocab, const SamplingOptions& options,
                  double uniform) {
  const float top = logits[ArgMax(logits, vocab)];
  for (const float margin : {8.0f, 16.0f}) {
    if (const auto token = DrawAmong(
            TokensAtLeast(logits, vocab, top - margin * options.temperature),
            false, logits, vocab, options, uniform)) {
      return *token;
    }
  }
  std::vector<std::int32_t> order(vocab);
  std::iota(order.begin(), order.end(), 0);
  return *DrawAmong(std::move(order), true, logits, vocab, options, uniform);
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
