#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/expert_stage.h"
#include "kernels/cuda/sampling.h"

namespace apollo::cuda {

// Questions about the tokens after rows of a step, for the sampling kernel, and
// the meaning of its results. Runs on the host.
class TokenQuestions {
 public:
  // Upper bounds of what the device holds at a time.
  struct Limits {
    int rows = 0;         // Rows of logits, at least 1.
    int adjustments = 0;  // At least those of one request.
  };
  // Consecutive questions within the limits.
  struct Piece {
    int first = 0;  // The first question.
    int count = 0;
    int first_adjustment = 0;  // In adjustments(); requests count from here.
    int adjustments = 0;
  };

  // last_rows: the last row of each slice. Draws the numbers that choose the
  // tokens, as engine/sampler.h defines them.
  TokenQuestions(std::span<const TokenRequest> requests,
                 std::span<const int> last_rows, const Limits& limits);

  int size() const { return static_cast<int>(rows_.size()); }
  // The row of the step that each question is about. [size()]
  std::span<const std::int32_t> rows() const { return rows_; }
  std::span<const SampleRequest> requests() const { return requests_; }
  std::span<const Adjustment> adjustments() const { return adjustments_; }
  const std::vector<Piece>& pieces() const { return pieces_; }

  // Sets the results of the slices that had requests. results: [size()]
  void Answer(std::span<const SampleResult> results,
              std::span<SliceOutcome> outcomes) const;

 private:
  // Adds a question, and begins a piece if the last one is full.
  void Add(int slice, int row, SampleRequest request,
           std::span<const Adjustment> adjustments, const Limits& limits);

  std::vector<int> slices_;  // [size()]
  std::vector<std::int32_t> rows_;
  std::vector<SampleRequest> requests_;
  std::vector<Adjustment> adjustments_;
  std::vector<Piece> pieces_;
};

}  // namespace apollo::cuda
