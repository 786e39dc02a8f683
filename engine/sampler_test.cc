#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include "kernels/for_each_level.h"

namespace apollo {
namespace {

// Probabilities 1/2, 1/4, 1/8, 1/8 for tokens 2, 0, 1, 3.
std::vector<float> Logits() {
  return {std::log(2.0f), 0.0f, std::log(4.0f), 0.0f};
}

SampledToken SampleOnce(const SamplingOptions& options, std::uint64_t position,
                        const TokenCounts& counts = {}, int top = 0) {
  std::vector<float> logits = Logits();
  return Sample(logits.data(), 4, options, counts, position, top);
}

std::map<int, int> Histogram(const SamplingOptions& options, int draws) {
  std::map<int, int> counts;
  for (int i = 0; i < draws; ++i) ++counts[SampleOnce(options, i).token];
  return counts;
}

TEST(SamplerTest, GreedyTakesTheMostProbableWithItsLogprob) {
  const SampledToken sampled = SampleOnce({}, 0, {}, 3);
  EXPECT_EQ(sampled.token, 2);
  EXPECT_NEAR(sampled.logprob, std::log(0.5), 1e-6);
  ASSERT_EQ(sampled.alternatives.size(), 3u);
  EXPECT_EQ(sampled.alternatives[1].token, 0);
  EXPECT_NEAR(sampled.alternatives[1].logprob, std::log(0.25), 1e-6);
  EXPECT_EQ(sampled.alternatives[2].token, 1);
}

TEST(SamplerTest, LogitsWithoutProbabilitiesGiveNoLogprob) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()}) {
    for (const float temperature : {0.0f, 1.0f}) {
      std::vector<float> logits = Logits();
      logits[1] = bad;
      SamplingOptions options;
      options.temperature = temperature;
      const SampledToken sampled = Sample(logits.data(), 4, options, {}, 0, 2);
      EXPECT_TRUE(std::isnan(sampled.logprob)) << bad << " " << temperature;
      EXPECT_TRUE(sampled.alternatives.empty());
    }
  }
}

TEST(SamplerTest, FrequenciesFollowTheProbabilities) {
  const int draws = 16000;
  const auto counts = Histogram({.temperature = 1, .seed = 5}, draws);
  // Five standard deviations of a binomial: 5 * sqrt(16000) / 2 = 316.2.
  EXPECT_NEAR(counts.at(2), draws / 2, 317);
  EXPECT_NEAR(counts.at(0), draws / 4, 317);
  EXPECT_NEAR(counts.at(1), draws / 8, 317);
  EXPECT_NEAR(counts.at(3), draws / 8, 317);
}

TEST(SamplerTest, TemperatureSharpens) {
  // Halving the temperature squares the odds: 16 : 4 : 1 : 1.
  const int draws = 16000;
  const auto counts = Histogram({.temperature = 0.5, .seed = 6}, draws);
  EXPECT_NEAR(counts.at(2), draws * 16 / 22, 317);
  EXPECT_NEAR(counts.at(0), draws * 4 / 22, 317);
}

TEST(SamplerTest, TopKAndTopPCutTheTail) {
  EXPECT_EQ(Histogram({.temperature = 1, .top_k = 1}, 500).size(), 1u);
  const auto two = Histogram({.temperature = 1, .top_k = 2}, 500);
  EXPECT_EQ(two.size(), 2u);
  EXPECT_TRUE(two.contains(2) && two.contains(0));
  // Token 2 alone has exactly half of the mass. A bit more needs token 0.
  EXPECT_EQ(Histogram({.temperature = 1, .top_p = 0.49f}, 500).size(), 1u);
  EXPECT_EQ(Histogram({.temperature = 1, .top_p = 0.6f}, 500).size(), 2u);
  EXPECT_EQ(Histogram({.temperature = 1, .top_p = 1e-9f}, 500).size(), 1u);
}

TEST(SamplerTest, DependsOnSeedAndPositionOnly) {
  const SamplingOptions options = {.temperature = 1, .seed = 77};
  std::vector<int> first, second, other_seed;
  for (int i = 0; i < 64; ++i) first.push_back(SampleOnce(options, i).token);
  for (int i = 63; i >= 0; --i) {
    second.insert(second.begin(), SampleOnce(options, i).token);
  }
  for (int i = 0; i < 64; ++i) {
    other_seed.push_back(SampleOnce({.temperature = 1, .seed = 78}, i).token);
  }
  EXPECT_EQ(first, second);
  EXPECT_NE(first, other_seed);
}

TEST(SamplerTest, MinPKeepsTokensOfAPartOfTheLargestProbability) {
  // Relative to token 2: 1, 1/2, 1/4, 1/4 for tokens 2, 0, 1, 3.
  const auto kept = [](float min_p, float temperature, int top_k = 0,
                       float top_p = 1) {
    return Histogram({.temperature = temperature,
                      .top_p = top_p,
                      .top_k = top_k,
                      .min_p = min_p},
                     500)
        .size();
  };
  EXPECT_EQ(kept(0.24f, 1), 4u);
  EXPECT_EQ(kept(0.26f, 1), 2u);
  EXPECT_EQ(kept(0.49f, 1), 2u);
  EXPECT_EQ(kept(0.51f, 1), 1u);
  EXPECT_EQ(kept(1, 1), 1u);
  // After temperature: half of it squares the ratios, twice takes their roots.
  EXPECT_EQ(kept(0.26f, 0.5f), 1u);
  EXPECT_EQ(kept(0.49f, 2), 4u);
  // top_k and top_p choose among what it has left: tokens 2 and 0 have 2/3 and
  // 1/3 of that.
  EXPECT_EQ(kept(0.26f, 1, 3), 2u);
  EXPECT_EQ(kept(0.26f, 1, 1), 1u);
  EXPECT_EQ(kept(0.26f, 1, 0, 0.66f), 1u);
  EXPECT_EQ(kept(0.26f, 1, 0, 0.67f), 2u);
  // Without it token 2 has only half of the mass.
  EXPECT_EQ(kept(0, 1, 0, 0.66f), 2u);
}

TEST(SamplerTest, MinPOfOneKeepsEqualTokens) {
  std::vector<float> logits(1000, -3.0f);
  std::set<std::int32_t> drawn;
  for (const int token : {5, 500, 999}) logits[token] = 7;
  for (int position = 0; position < 200; ++position) {
    std::vector<float> copy = logits;
    drawn.insert(Sample(copy.data(), 1000, {.temperature = 1, .min_p = 1}, {},
                        position, 0)
                     .token);
  }
  EXPECT_EQ(drawn, (std::set<std::int32_t>{5, 500, 999}));
}

TEST(SamplerTest, ABiasChangesTheTokenButNotItsProbability) {
  const SampledToken sampled =
      SampleOnce({.logit_bias = {{0, 0.6f}, {3, 1.5f}}}, 0, {}, 4);
  EXPECT_EQ(sampled.token, 3);  // 1.5 against log 2 + 0.6 and log 4.
  EXPECT_NEAR(sampled.logprob, std::log(0.125), 1e-6);
  EXPECT_EQ(sampled.alternatives[0].token, 2);
  EXPECT_NEAR(sampled.alternatives[0].logprob, std::log(0.5), 1e-6);
  EXPECT_EQ(SampleOnce({.logit_bias = {{2, -100}}}, 0).token, 0);
  for (const auto& [token, count] : Histogram(
           {.temperature = 1, .logit_bias = {{1, -100}, {2, -100}}}, 500)) {
    EXPECT_TRUE(token == 0 || token == 3);
  }
}

TEST(SamplerTest, ABiasAndPenaltiesAdd) {
  // Token 2 leads token 0 by log 2 = 0.69.
  SamplingOptions options = {.presence_penalty = 1.5f, .logit_bias = {{2, 1}}};
  SampledToken sampled = SampleOnce(options, 0, {{2, 1}});
  EXPECT_EQ(sampled.token, 2);
  EXPECT_NEAR(sampled.logprob, std::log(0.5), 1e-6);
  options.presence_penalty = 1.75f;
  sampled = SampleOnce(options, 0, {{2, 1}});
  EXPECT_EQ(sampled.token, 0);
  EXPECT_NEAR(sampled.logprob, std::log(0.25), 1e-6);
}

// A plain version of the draw in Sample: sorts all tokens, sums in double.
std::int32_t PlainDraw(const std::vector<float>& logits,
                       const SamplingOptions& options, double uniform,
                       double top_p) {
  std::vector<std::int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return logits[a] > logits[b]; });
  if (options.top_k > 0 && options.top_k < static_cast<int>(order.size())) {
    order.resize(options.top_k);
  }
  std::vector<double> p;
  for (const std::int32_t token : order) {
    p.push_back(
        std::exp((static_cast<double>(logits[token]) - logits[order[0]]) /
                 options.temperature));
  }
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  std::size_t kept = 0;
  double mass = 0;
  while (kept < p.size() && (kept == 0 || mass < top_p * sum)) {
    mass += p[kept++];
  }
  double rest = uniform * mass;
  for (std::size_t i = 0; i < kept; ++i) {
    rest -= p[i];
    if (rest < 0) return order[i];
  }
  return order[kept - 1];
}

// Returns the results of PlainDraw, including those within the rounding errors
// of the sums in Sample.
std::set<std::int32_t> PlainDraws(const std::vector<float>& logits,
                                  const SamplingOptions& options,
                                  std::uint64_t position) {
  const double uniform = UniformAt(options.seed, position);
  std::set<std::int32_t> tokens;
  for (const double off : {-3e-6, 0.0, 3e-6}) {
    tokens.insert(PlainDraw(logits, options, uniform + off, options.top_p));
    tokens.insert(
        PlainDraw(logits, options, uniform, options.top_p * (1 + off)));
  }
  return tokens;
}

TEST(SamplerTest, DrawsAsIfAllTokensWereSorted) {
  int several = 0, draws = 0;
  ForEachLevel([&] {
    std::mt19937 random(4);
    for (const float spread : {0.1f, 3.0f, 8.0f}) {  // From even to peaked.
      std::vector<float> logits(1001);
      std::normal_distribution<float> normal(0, spread);
      for (float& logit : logits) {
        logit = std::round(normal(random) * 16) / 16;  // With ties.
      }
      for (const float temperature : {1e-6f, 0.3f, 1.0f, 5.0f, 100.0f}) {
        for (const float top_p : {0.05f, 0.9f, 0.9999f, 1.0f}) {
          for (const int top_k : {0, 1, 40, 1000, 5000}) {
            const SamplingOptions options = {.temperature = temperature,
                                             .top_p = top_p,
                                             .top_k = top_k,
                                             .seed = random()};
            for (int position = 0; position < 4; ++position) {
              std::vector<float> copy = logits;
              const auto plain = PlainDraws(logits, options, position);
              EXPECT_TRUE(plain.contains(
                  Sample(copy.data(), 1001, options, {}, position, 0).token))
                  << spread << " " << temperature << " " << top_p << " "
                  << top_k;
              ++draws;
              several += plain.size() > 1;
            }
          }
        }
      }
    }
  });
  EXPECT_LT(several, draws / 20);  // Otherwise the test proves little.
}

TEST(SamplerTest, UniformNumbersAreTheSameOnEveryMachine) {
  // Computed with Python integers, modulo 2^64, from the definition: the upper
  // 53 bits of mix(mix(seed + g) + (position + 1) g), where g =
  // 0x9e3779b97f4a7c15 and mix is the finaliser of SplitMix64 (Steele, Lea and
  // Flood, 2014). The Python mix was checked against SplitMix64's first output
  // for seed 0, mix(g) = 0xe220a8397b1dcdaf.
  const struct {
    std::uint64_t seed, position;
    double value;
  } kExact[] = {
      {0, 0, 0x14e0dba5e9a32fp-53},
      {0, 1, 0x16705460be8829p-53},
      {1, 0, 0xbc835610e872cp-53},
      {0x2au, 1000, 0x163f919049aa49p-53},
      {0xdeadbeefu, 7, 0x4b8076c723b81p-53},
      {~0ull, 0, 0xbb84154f6544ep-53},
      {0, ~0ull, 0x9043044dfe79ap-53},
      {~0ull, ~0ull, 0x88a031c60b021p-53},
  };
  for (const auto& [seed, position, value] : kExact) {
    EXPECT_EQ(UniformAt(seed, position), value) << seed << " " << position;
  }
  double sum = 0;
  for (int i = 0; i < 10000; ++i) sum += UniformAt(3, i);
  EXPECT_NEAR(sum / 10000, 0.5, 0.02);
}

TEST(SamplerTest, PenaltiesCountGeneratedTokensButNotInTheLogprob) {
  // Token 2 leads token 0 by log 2 = 0.69.
  EXPECT_EQ(SampleOnce({.presence_penalty = 0.6f}, 0, {{2, 5}}).token, 2);
  EXPECT_EQ(SampleOnce({.presence_penalty = 0.8f}, 0, {{2, 1}}).token, 0);
  EXPECT_EQ(SampleOnce({.frequency_penalty = 0.2f}, 0, {{2, 3}}).token, 2);
  EXPECT_EQ(SampleOnce({.frequency_penalty = 0.2f}, 0, {{2, 4}}).token, 0);
  const auto kept = SampleOnce({.presence_penalty = 0.6f}, 0, {{2, 1}});
  EXPECT_NEAR(kept.logprob, std::log(0.5), 1e-6);
}

}  // namespace
}  // namespace apollo
