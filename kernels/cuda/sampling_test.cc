#include "kernels/cuda/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "kernels/cuda/testing.h"

namespace apollo::cuda {
namespace {

class SamplingTest : public GpuTest {
 protected:
  // Answers one request about each row of logits.
  static std::vector<SampleResult> Answer(
      const std::vector<float>& logits,
      const std::vector<SampleRequest>& requests,
      const std::vector<Adjustment>& adjustments = {}) {
    const int rows = static_cast<int>(requests.size());
    const Device<float> device_logits(logits);
    const Device<SampleRequest> device_requests(requests);
    const Device<Adjustment> device_adjustments(adjustments);
    const Device<SampleResult> results(rows);
    ExpectOk(cuda::Run(
        Sample{device_logits.get(), rows,
               static_cast<int>(logits.size()) / rows, device_requests.get(),
               device_adjustments.get(), results.get()},
        nullptr));
    return results.Read();
  }

  static double LogSum(const std::vector<float>& logits) {
    double sum = 0;
    for (const float x : logits) sum += std::exp(static_cast<double>(x));
    return std::log(sum);
  }

  static std::vector<int> Falling(const std::vector<float>& logits) {
    std::vector<int> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int a, int b) {
      return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
    });
    return order;
  }

  // The definition of engine/sampler.h by full sorting. Returns the tokens that
  // may be drawn: neighbours if `uniform` falls on their border.
  static std::vector<int> Drawn(const std::vector<float>& logits,
                                const SampleRequest& request) {
    std::vector<int> order = Falling(logits);
    const double largest = logits[order[0]];
    std::erase_if(order, [&](int token) {
      return logits[token] - largest < request.min_p_margin;
    });
    if (request.top_k > 0 && request.top_k < static_cast<int>(order.size())) {
      order.resize(request.top_k);
    }
    std::vector<double> p;
    for (const int token : order) {
      p.push_back(
          std::exp((static_cast<double>(logits[token]) - logits[order[0]]) /
                   request.temperature));
    }
    double mass = std::accumulate(p.begin(), p.end(), 0.0);
    if (request.top_p < 1) {
      const double wanted = request.top_p * mass;
      std::size_t kept = 0;
      for (mass = 0; kept < p.size() && (kept == 0 || mass < wanted);) {
        mass += p[kept++];
      }
      p.resize(kept);
    }
    std::vector<int> tokens;
    for (const double shift : {-1e-6, 0.0, 1e-6}) {
      double rest = std::clamp(request.uniform + shift, 0.0, 1.0) * mass;
      std::size_t i = 0;
      while (i + 1 < p.size() && (rest -= p[i]) >= 0) ++i;
      tokens.push_back(order[i]);
    }
    return tokens;
  }
};

TEST_F(SamplingTest, GreedyTakesTheLargestAndTheLowestOfEqualOnes) {
  std::vector<float> logits = Random(3 * 5000);
  logits[1234] = logits[4321] = 9;
  logits[5000 + 4999] = 9;
  std::fill_n(logits.begin() + 10000, 5000, -2.0f);
  const auto results = Answer(logits, std::vector<SampleRequest>(3));
  EXPECT_EQ(results[0].token, 1234);
  EXPECT_EQ(results[1].token, 4999);
  EXPECT_EQ(results[2].token, 0);
  for (int r = 0; r < 3; ++r) {
    const std::vector<float> row(logits.begin() + r * 5000,
                                 logits.begin() + (r + 1) * 5000);
    EXPECT_NEAR(results[r].logprob, row[results[r].token] - LogSum(row), 1e-5);
  }
}

TEST_F(SamplingTest, AlternativesAndTargetsAreTheModels) {
  for (const int vocab : {3, 1500}) {
    const std::vector<float> one = Random(vocab);
    std::vector<float> logits = one;
    logits.insert(logits.end(), one.begin(), one.end());
    SampleRequest sample, score;
    sample.alternatives = 20;
    score.target = vocab - 1;
    const auto results = Answer(logits, {sample, score});
    const std::vector<int> order = Falling(one);
    ASSERT_EQ(results[0].count, std::min(20, vocab));
    for (int j = 0; j < results[0].count; ++j) {
      EXPECT_EQ(results[0].tokens[j], order[j]);
      EXPECT_NEAR(results[0].logprobs[j], one[order[j]] - LogSum(one), 1e-5);
    }
    EXPECT_EQ(results[1].token, vocab - 1);
    EXPECT_NEAR(results[1].logprob, one[vocab - 1] - LogSum(one), 1e-5);
  }
}

TEST_F(SamplingTest, AlternativesInOneThreadAreFound) {
  std::vector<float> logits = Random(12 * 1024);
  for (int j = 0; j < 10; ++j) {
    logits[j * 1024 + 7] = 20 - static_cast<float>(j);
  }
  SampleRequest request;
  request.alternatives = 10;
  const auto results = Answer(logits, {request});
  for (int j = 0; j < 10; ++j) EXPECT_EQ(results[0].tokens[j], j * 1024 + 7);
}

TEST_F(SamplingTest, PenaltiesChangeTheTokenButNotItsProbability) {
  const std::vector<float> one = {1, 5, 4.5f, 0};
  std::vector<float> logits = one;
  logits.insert(logits.end(), one.begin(), one.end());
  SampleRequest first, second;
  first.presence_penalty = 0.25f;
  first.frequency_penalty = 0.5f;
  first.adjustments = 2;
  first.alternatives = 1;
  second = first;
  second.first_adjustment = 2;
  second.adjustments = 1;
  const auto results =
      Answer(logits, {first, second}, {{1, 2, 0}, {3, 1, 0}, {2, 1, 0}});
  EXPECT_EQ(results[0].token, 2);  // 5 - 0.25 - 2 * 0.5 = 3.75.
  EXPECT_EQ(results[0].tokens[0], 1);
  EXPECT_NEAR(results[0].logprob, 4.5 - LogSum(one), 1e-6);
  EXPECT_EQ(results[1].token, 1);
  first.frequency_penalty = 0.1f;  // 5 - 0.25 - 2 * 0.1 = 4.55 > 4.5
  const auto third = Answer(one, {first}, {{1, 2, 0}, {3, 1, 0}});
  EXPECT_EQ(third[0].token, 1);
  EXPECT_NEAR(third[0].logprob, 5 - LogSum(one), 1e-6);
}

TEST_F(SamplingTest, ABiasChangesTheTokenButNotItsProbability) {
  const std::vector<float> one = {1, 5, 4.5f, 0};
  SampleRequest request;
  request.presence_penalty = 0.25f;
  request.adjustments = 2;
  request.alternatives = 1;
  // 5 - 0.25 + 0.5 against 0 + 5.5.
  auto results = Answer(one, {request}, {{1, 1, 0.5f}, {3, 0, 5.5f}});
  EXPECT_EQ(results[0].token, 3);
  EXPECT_EQ(results[0].tokens[0], 1);
  EXPECT_NEAR(results[0].logprob, -LogSum(one), 1e-6);
  results = Answer(one, {request}, {{1, 1, 1}, {3, 0, 5.5f}});
  EXPECT_EQ(results[0].token, 1);
  EXPECT_NEAR(results[0].logprob, 5 - LogSum(one), 1e-6);
}

TEST_F(SamplingTest, ATargetMayHaveAlternatives) {
  const std::vector<float> logits = Random(1500);
  SampleRequest request;
  request.target = 77;
  request.alternatives = 3;
  const auto results = Answer(logits, {request});
  EXPECT_EQ(results[0].token, 77);
  EXPECT_NEAR(results[0].logprob, logits[77] - LogSum(logits), 1e-5);
  ASSERT_EQ(results[0].count, 3);
  for (int j = 0; j < 3; ++j) {
    EXPECT_EQ(results[0].tokens[j], Falling(logits)[j]);
  }
}

TEST_F(SamplingTest, DrawsAreThoseOfTheDefinition) {
  constexpr int kVocab = 1500;
  std::uniform_real_distribution<double> uniform(0, 1);
  for (const float deviation : {0.0f, 3.0f}) {
    std::vector<SampleRequest> requests;
    for (const int top_k : {0, 1, 40}) {
      for (const float top_p : {1.0f, 0.9f, 1e-6f}) {
        SampleRequest request;
        request.temperature = top_k == 40 ? 1.3f : 0.7f;
        request.top_k = top_k;
        request.top_p = top_p;
        request.uniform = uniform(random_);
        requests.push_back(request);
        for (const double min_p : {0.05, 0.5, 1.0}) {
          request.min_p_margin = request.temperature * std::log(min_p);
          request.uniform = uniform(random_);
          requests.push_back(request);
        }
      }
    }
    SampleRequest edge;
    edge.temperature = 1;
    requests.push_back(edge);  // uniform = 0
    edge.uniform = 1 - 0x1p-53;
    requests.push_back(edge);
    const std::vector<float> logits =
        Random(requests.size() * kVocab, deviation);
    const auto results = Answer(logits, requests);
    for (std::size_t r = 0; r < requests.size(); ++r) {
      const std::vector<float> row(logits.begin() + r * kVocab,
                                   logits.begin() + (r + 1) * kVocab);
      const std::vector<int> allowed = Drawn(row, requests[r]);
      EXPECT_TRUE(std::count(allowed.begin(), allowed.end(), results[r].token))
          << "request " << r << ", deviation " << deviation << ": token "
          << results[r].token << " instead of " << allowed[1];
      EXPECT_NEAR(results[r].logprob, row[results[r].token] - LogSum(row),
                  1e-5);
    }
  }
}

TEST_F(SamplingTest, LogitsThatAreNotFiniteGiveNoToken) {
  std::vector<float> logits = Random(3 * 100);
  logits[5] = std::numeric_limits<float>::quiet_NaN();
  logits[199] = std::numeric_limits<float>::infinity();
  logits[200] = -std::numeric_limits<float>::infinity();
  std::vector<SampleRequest> requests(3);
  requests[1].target = 3;
  for (const SampleResult& result : Answer(logits, requests)) {
    EXPECT_TRUE(std::isnan(result.logprob));
    EXPECT_EQ(result.token, -1);
    EXPECT_EQ(result.count, 0);
  }
}

}  // namespace
}  // namespace apollo::cuda
