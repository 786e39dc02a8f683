#include "engine/cuda/token_questions.h"

#include <cmath>
#include <utility>

#include "common/check.h"
#include "engine/sampler.h"

namespace apollo::cuda {
namespace {

static_assert(kMaxTopLogprobs <= kMaxAlternatives);

// Returns the question that samples a token, without its penalties.
SampleRequest Sampling(const TokenRequest& token) {
  const SamplingOptions& options = token.sampling;
  SampleRequest request;
  request.top_k = options.top_k;
  request.temperature = options.temperature;
  request.top_p = options.top_p;
  if (options.temperature > 0) {
    request.uniform = UniformAt(options.seed, token.position);
  }
  request.presence_penalty = options.presence_penalty;
  request.frequency_penalty = options.frequency_penalty;
  request.alternatives = token.top_logprobs;
  return request;
}

std::vector<Penalty> PenaltiesOf(const TokenRequest& token) {
  std::vector<Penalty> penalties;
  if (token.sampling.presence_penalty == 0 &&
      token.sampling.frequency_penalty == 0) {
    return penalties;
  }
  for (const auto& [id, count] : *token.generated) {
    penalties.push_back({id, count, 0});
  }
  return penalties;
}

SampledToken TokenOf(const SampleResult& result) {
  SampledToken token;
  token.token = result.token;
  token.logprob = result.logprob;
  for (int i = 0; i < result.count; ++i) {
    token.alternatives.push_back({result.tokens[i], result.logprobs[i]});
  }
  return token;
}

}  // namespace

TokenQuestions::TokenQuestions(std::span<const TokenRequest> requests,
                               std::span<const int> last_rows,
                               const Limits& limits) {
  for (const TokenRequest& token : requests) {
    const int last = last_rows[token.slice];
    const int targets = static_cast<int>(token.score_targets.size());
    for (int t = 0; t < targets; ++t) {
      SampleRequest request;
      request.target = token.score_targets[t];
      Add(token.slice, last + 1 - targets + t, request, {}, limits);
    }
    if (token.sample) {
      Add(token.slice, last, Sampling(token), PenaltiesOf(token), limits);
    }
  }
}

void TokenQuestions::Add(int slice, int row, SampleRequest request,
                         std::span<const Penalty> penalties,
                         const Limits& limits) {
  const int count = static_cast<int>(penalties.size());
  APOLLO_CHECK(limits.rows >= 1 && count <= limits.penalties);
  if (pieces_.empty() || pieces_.back().count == limits.rows ||
      pieces_.back().penalties + count > limits.penalties) {
    pieces_.push_back({size(), 0, static_cast<int>(penalties_.size()), 0});
  }
  Piece& piece = pieces_.back();
  request.first_penalty = piece.penalties;
  request.penalties = count;
  ++piece.count;
  piece.penalties += count;
  slices_.push_back(slice);
  rows_.push_back(row);
  requests_.push_back(request);
  penalties_.insert(penalties_.end(), penalties.begin(), penalties.end());
}

void TokenQuestions::Answer(std::span<const SampleResult> results,
                            std::span<SliceOutcome> outcomes) const {
  APOLLO_CHECK(results.size() == rows_.size());
  for (int i = 0; i < size(); ++i) {
    SliceOutcome& outcome = outcomes[slices_[i]];
    if (!std::isfinite(results[i].logprob)) {
      outcome.finite = false;
    } else if (requests_[i].target >= 0) {
      outcome.score_logprobs.push_back(results[i].logprob);
    } else {
      outcome.sampled = TokenOf(results[i]);
    }
  }
  for (const int slice : slices_) {
    if (outcomes[slice].finite) continue;
    outcomes[slice].sampled.reset();
    outcomes[slice].score_logprobs.clear();
  }
}

}  // namespace apollo::cuda
