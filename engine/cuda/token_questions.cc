#include "engine/cuda/token_questions.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "common/check.h"
#include "engine/sampler.h"

namespace apollo::cuda {
namespace {

static_assert(kMaxTopLogprobs <= kMaxAlternatives);

// Returns the question that samples a token, without its adjustments.
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
  request.min_p_margin = MinPMargin(options);
  request.alternatives = token.top_logprobs;
  return request;
}

std::vector<Adjustment> AdjustmentsOf(const TokenRequest& token) {
  const SamplingOptions& options = token.sampling;
  std::vector<Adjustment> adjustments;
  for (const auto& [id, bias] : options.logit_bias) {
    adjustments.push_back({id, 0, bias});
  }
  if (options.presence_penalty == 0 && options.frequency_penalty == 0) {
    return adjustments;
  }
  const auto biased = static_cast<std::ptrdiff_t>(adjustments.size());
  for (const auto& [id, count] : *token.generated) {
    const auto end = adjustments.begin() + biased;
    const auto found = std::lower_bound(
        adjustments.begin(), end, id,
        [](const Adjustment& a, std::int32_t key) { return a.token < key; });
    if (found != end && found->token == id) {
      found->count = count;
    } else {
      adjustments.push_back({id, count});
    }
  }
  return adjustments;
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
      request.alternatives = token.score_alternatives;
      Add(token.slice, last + 1 - token.unscored_rows - targets + t, request,
          {}, limits);
    }
    if (token.sample) {
      Add(token.slice, last, Sampling(token), AdjustmentsOf(token), limits);
    }
  }
}

void TokenQuestions::Add(int slice, int row, SampleRequest request,
                         std::span<const Adjustment> adjustments,
                         const Limits& limits) {
  const int count = static_cast<int>(adjustments.size());
  APOLLO_CHECK(limits.rows >= 1 && count <= limits.adjustments);
  if (pieces_.empty() || pieces_.back().count == limits.rows ||
      pieces_.back().adjustments + count > limits.adjustments) {
    pieces_.push_back({size(), 0, static_cast<int>(adjustments_.size()), 0});
  }
  Piece& piece = pieces_.back();
  request.first_adjustment = piece.adjustments;
  request.adjustments = count;
  ++piece.count;
  piece.adjustments += count;
  slices_.push_back(slice);
  rows_.push_back(row);
  requests_.push_back(request);
  adjustments_.insert(adjustments_.end(), adjustments.begin(),
                      adjustments.end());
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
      const std::vector<TokenLogprob> alternatives =
          TokenOf(results[i]).alternatives;
      outcome.score_alternatives.insert(outcome.score_alternatives.end(),
                                        alternatives.begin(),
                                        alternatives.end());
    } else {
      outcome.sampled = TokenOf(results[i]);
    }
  }
  for (const int slice : slices_) {
    if (outcomes[slice].finite) continue;
    outcomes[slice].sampled.reset();
    outcomes[slice].score_logprobs.clear();
    outcomes[slice].score_alternatives.clear();
  }
}

}  // namespace apollo::cuda
