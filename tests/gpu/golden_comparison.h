#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/json.h"

namespace apollo {

// Comparison of answers with a golden case for an implementation that rounds
// the operands of products to bf16, as stages on GPUs do. The case must have
// the five best tokens of every run (tests/golden/README.md).

// The largest distances of log-probabilities to the oracle's. If the oracle
// rounds the same operands, those of generated tokens move by at most 0.06, and
// those of scored ones, which are less probable, by 0.1 (make_golden.py checks
// it). A GPU adds in another order, so it rounds other numbers up and down;
// hence twice that.
inline constexpr double kBf16TokenTolerance = 0.12;
inline constexpr double kBf16ScoreTolerance = 0.2;
// Two tokens whose log-probabilities differ by less in the oracle may change
// places, because each may move by the tolerance.
inline constexpr double kBf16TieMargin = 2 * kBf16TokenTolerance;

// The id of <|endoftext|> in the golden cases.
inline constexpr std::int32_t kGoldenEndToken = 256;

// The result of one comparison.
struct GoldenResult {
  // Empty if the answer is right; else what was expected. Names no text.
  std::string error;
  // The largest distance of the log-probabilities compared.
  double distance = 0;
  // The first token that differs, if that is no error: the oracle's two best
  // are within the margin there. Nothing is compared after it.
  std::optional<int> near_tie;
};

// Compares a greedy answer with an entry of "runs". A last end-of-text token is
// not part of the answer.
GoldenResult CompareRun(const Json& run, const std::vector<std::int32_t>& ids,
                        const std::vector<float>& logprobs);

// Compares the log-probabilities of a continuation with an entry of "scores".
GoldenResult CompareScore(const Json& score,
                          const std::vector<double>& logprobs);

// Returns true if some token of the run may differ from the oracle's: its two
// best are within the margin.
bool MayDiffer(const Json& run);

// The sum of many comparisons.
class GoldenTally {
 public:
  void Add(const std::string& name, const GoldenResult& result);

  int compared() const { return compared_; }
  int near_ties() const { return near_ties_; }
  double distance() const { return distance_; }
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  int compared_ = 0;
  int near_ties_ = 0;
  double distance_ = 0;
  std::vector<std::string> errors_;
};

}  // namespace apollo
