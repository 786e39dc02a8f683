#pragma once

#include <span>
#include <vector>

#include "common/thread_pool.h"
#include "engine/expert_stage.h"
#include "engine/weights.h"
#include "model/config/model_config.h"

namespace apollo {

// The end of an expert stage on the CPU: the final norm, the output head, and
// sampling and scoring on the logits. Called by one thread, which the pool
// assists.
class CpuHead {
 public:
  // The arguments held by reference must outlive the head.
  CpuHead(const ModelConfig& config, HeadWeights weights, ThreadPool& pool)
      : config_(config), weights_(std::move(weights)), pool_(pool) {}

  // Computes the logits of the given rows of hidden [rows, hidden].
  // logits: [rows.size(), vocab]
  void Logits(const float* hidden, std::span<const int> rows,
              float* logits) const;

  // Samples and scores the requested tokens. last_rows: the last row of each
  // slice in hidden.
  void Answer(const float* hidden, std::span<const int> last_rows,
              std::span<const TokenRequest> requests,
              std::vector<SliceOutcome>& outcomes) const;

 private:
  // A row that needs logits.
  struct Wanted {
    const TokenRequest* request;
    int row;     // In hidden.
    int target;  // Index into score_targets, or -1 to sample a token.
  };
  SampledToken AnswerOne(const Wanted& wanted, float* logits) const;

  const ModelConfig& config_;
  const HeadWeights weights_;
  ThreadPool& pool_;
};

}  // namespace apollo
