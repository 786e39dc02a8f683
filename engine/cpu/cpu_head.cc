#include "engine/cpu/cpu_head.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/elementwise.h"
#include "kernels/logits.h"
#include "kernels/matmul.h"

namespace apollo {
namespace {

// Maximum number of rows whose logits are in memory.
constexpr std::size_t kLogitRows = 16;

}  // namespace

void CpuHead::Logits(const float* hidden, std::span<const int> rows,
                     float* logits) const {
  const int size = config_.hidden_size;
  const int count = static_cast<int>(rows.size());
  std::vector<float> normed(static_cast<std::size_t>(count) * size);
  for (int i = 0; i < count; ++i) {
    std::copy_n(hidden + static_cast<std::size_t>(rows[i]) * size, size,
                &normed[static_cast<std::size_t>(i) * size]);
  }
  RmsNorm(normed.data(), count, size, weights_.norm.data(),
          config_.rms_norm_eps, normed.data(), pool_);
  MatMul(normed.data(), count, size, weights_.output, nullptr, logits,
         config_.vocab_size, pool_);
}

SampledToken CpuHead::AnswerOne(const Wanted& wanted, float* logits) const {
  const TokenRequest& request = *wanted.request;
  if (wanted.target < 0) {
    return Sample(logits, config_.vocab_size, request.sampling,
                  *request.generated, request.position, request.top_logprobs);
  }
  SampledToken score;
  score.token = request.score_targets[wanted.target];
  const float log_sum = LogSumExp(logits, config_.vocab_size);
  score.logprob = logits[score.token] - log_sum;
  if (request.score_alternatives > 0 && std::isfinite(log_sum)) {
    for (const std::int32_t token :
         TopTokens(logits, config_.vocab_size, request.score_alternatives)) {
      score.alternatives.push_back({token, logits[token] - log_sum});
    }
  }
  return score;
}

void CpuHead::Answer(const float* hidden, std::span<const int> last_rows,
                     std::span<const TokenRequest> requests,
                     std::vector<SliceOutcome>& outcomes) const {
  std::vector<Wanted> wanted;
  for (const TokenRequest& request : requests) {
    const int last = last_rows[request.slice];
    const int targets = static_cast<int>(request.score_targets.size());
    for (int t = 0; t < targets; ++t) {
      wanted.push_back(
          {&request, last + 1 - request.unscored_rows - targets + t, t});
    }
    if (request.sample) wanted.push_back({&request, last, -1});
  }
  std::vector<float> logits;
  for (std::size_t first = 0; first < wanted.size(); first += kLogitRows) {
    const std::size_t count = std::min(kLogitRows, wanted.size() - first);
    std::vector<int> rows;
    for (std::size_t i = 0; i < count; ++i) {
      rows.push_back(wanted[first + i].row);
    }
    logits.resize(count * config_.vocab_size);
    Logits(hidden, rows, logits.data());
    std::vector<SampledToken> tokens(count);
    pool_.ParallelFor(count, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        tokens[i] =
            AnswerOne(wanted[first + i], &logits[i * config_.vocab_size]);
      }
    });
    for (std::size_t i = 0; i < count; ++i) {
      const Wanted& w = wanted[first + i];
      SliceOutcome& outcome = outcomes[w.request->slice];
      if (!std::isfinite(tokens[i].logprob)) {
        outcome.finite = false;
      } else if (w.target >= 0) {
        outcome.score_logprobs.push_back(tokens[i].logprob);
        outcome.score_alternatives.insert(outcome.score_alternatives.end(),
                                          tokens[i].alternatives.begin(),
                                          tokens[i].alternatives.end());
      } else {
        outcome.sampled = std::move(tokens[i]);
      }
    }
  }
}

}  // namespace apollo
