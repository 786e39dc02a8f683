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

// Returns exp((logit - top) / temperature).
double Weight(float logit, float top, float temperature) {
  return std::exp((static_cast<double>(logit) - top) / temperature);
}

// Draws a token, or returns nullopt if `order` is too short to decide.
// order: the tokens of the largest logits. `sum`: the mass of all tokens that
// min_p leaves, or nullopt if `order` holds all of it or its first top_k tokens
// do.
std::optional<std::int32_t> DrawAmong(std::vector<std::int32_t> order,
                                      std::optional<double> sum,
                                      const float* logits, float top,
                                      const SamplingOptions& options,
                                      double uniform) {
  const auto falling = [logits](std::int32_t a, std::int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  if (sum) {
    // Without enough mass, sorting would be wasted.
    double mass = 0;
    for (const std::int32_t token : order) {
      mass += Weight(logits[token], top, options.temperature);
    }
    if (mass < (options.top_p < 1 ? options.top_p : uniform) * *sum) {
      return std::nullopt;
    }
  }
  const auto cut = static_cast<std::size_t>(options.top_k);
  if (options.top_k > 0 && cut < order.size()) {
    std::partial_sort(order.begin(), order.begin() + options.top_k, order.end(),
                      falling);
    order.resize(cut);
  } else {
    std::sort(order.begin(), order.end(), falling);
  }
  std::vector<double> p;
  p.reserve(order.size());
  for (const std::int32_t token : order) {
    p.push_back(Weight(logits[token], top, options.temperature));
  }
  const double all = sum ? *sum : std::accumulate(p.begin(), p.end(), 0.0);
  // Finds the smallest set that reaches top_p of the mass, then draws from it.
  double mass = options.top_p < 1 ? 0 : all;
  std::size_t kept = options.top_p < 1 ? 0 : p.size();
  if (options.top_p < 1) {
    while (kept < p.size() && (kept == 0 || mass < options.top_p * all)) {
      mass += p[kept++];
    }
    if (sum && mass < options.top_p * all) return std::nullopt;
  }
  double rest = uniform * mass;
  for (std::size_t i = 0; i < kept; ++i) {
    rest -= p[i];
    if (rest < 0) return order[i];
  }
  // Reached only through rounding errors.
  if (sum && options.top_p >= 1) return std::nullopt;
  return order[kept - 1];
}

// Returns the tokens that pass min_p.
std::vector<std::int32_t> TokensOfMinP(const float* logits, int vocab,
                                       float top,
                                       const SamplingOptions& options) {
  const double margin = MinPMargin(options);
  // A little less, since the sum is rounded; the exact test follows.
  const double least = top + margin - 1e-6 * (std::abs(top) - margin);
  std::vector<std::int32_t> tokens =
      TokensAtLeast(logits, vocab, static_cast<float>(least));
  std::erase_if(tokens, [=](std::int32_t token) {
    return static_cast<double>(logits[token]) - top < margin;
  });
  return tokens;
}

// Draws from the min-p / top-k / top-p set of softmax(logits / temperature). A
// few tokens nearly always have most of the mass, and only those are sorted.
std::int32_t Draw(const float* logits, int vocab,
                  const SamplingOptions& options, double uniform) {
  const float top = logits[ArgMax(logits, vocab)];
  if (options.min_p > 0) {
    return *DrawAmong(TokensOfMinP(logits, vocab, top, options), std::nullopt,
                      logits, top, options, uniform);
  }
  const bool cut = options.top_k > 0 && options.top_k < vocab;
  std::optional<double> sum;
  if (!cut) {
    // Larger scales have the same effect, and an infinite one gives NaN for 0.
    const float scale = std::min(1.0f / options.temperature, 1e30f);
    sum = SumExp(logits, vocab, top, scale);
  }
  for (const float margin : {8.0f, 16.0f}) {
    std::vector<std::int32_t> tokens =
        TokensAtLeast(logits, vocab, top - margin * options.temperature);
    if (static_cast<int>(tokens.size()) == vocab) break;
    if (cut && static_cast<int>(tokens.size()) < options.top_k) continue;
    if (const auto token =
            DrawAmong(std::move(tokens), sum, logits, top, options, uniform)) {
      return *token;
    }
  }
  std::vector<std::int32_t> order(vocab);
  std::iota(order.begin(), order.end(), 0);
  return *DrawAmong(std::move(order), std::nullopt, logits, top, options,
                    uniform);
}

}  // namespace

double MinPMargin(const SamplingOptions& options) {
  return options.min_p > 0 ? options.temperature *
                                 std::log(static_cast<double>(options.min_p))
                           : -std::numeric_limits<double>::infinity();
}

double UniformAt(std::uint64_t seed, std::uint64_t position) {
  // Two rounds decorrelate neighbouring seeds and positions.
  const std::uint64_t z = Mix(Mix(seed + 0x9e3779b97f4a7c15u) +
                              (position + 1) * 0x9e3779b97f4a7c15u);
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
  for (const auto& [token, bias] : options.logit_bias) {
    before[token] = logits[token];
    logits[token] += bias;
  }
  if (options.presence_penalty != 0 || options.frequency_penalty != 0) {
    for (const auto& [token, count] : generated) {
      before.try_emplace(token, logits[token]);
      logits[token] -= options.presence_penalty +
                       options.frequency_penalty * static_cast<float>(count);
    }
  }
  result.token =
      options.temperature > 0
          ? Draw(logits, vocab, options, UniformAt(options.seed, position))
          : ArgMax(logits, vocab);
  const auto it = before.find(result.token);
  result.logprob =
      (it != before.end() ? it->second : logits[result.token]) - log_sum;
  return result;
}

}  // namespace apollo
