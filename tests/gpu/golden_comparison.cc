#include "tests/gpu/golden_comparison.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace apollo {
namespace {

// Returns an error if a log-probability is too far from the oracle's, or is not
// finite, and keeps the largest distance.
std::string CompareLogprob(std::size_t token, double actual, double expected,
                           double tolerance, double& distance) {
  const double d = std::abs(actual - expected);
  if (!(d <= tolerance)) {
    return "the log-probability of token " + std::to_string(token) + " is " +
           std::to_string(actual) + ", the oracle's " +
           std::to_string(expected) + "; they may differ by " +
           std::to_string(tolerance);
  }
  distance = std::max(distance, d);
  return "";
}

// Returns the distance of a token to the oracle's best, or nothing if it is not
// among the best.
std::optional<double> BehindBest(const Json& best, std::int32_t id) {
  for (const Json& entry : best) {
    if (entry[0].get<std::int32_t>() == id) {
      return best[0][1].get<double>() - entry[1].get<double>();
    }
  }
  return std::nullopt;
}

std::vector<std::int32_t> ExpectedIds(const Json& run) {
  auto ids = run["ids"].get<std::vector<std::int32_t>>();
  if (run["finish"] == "stop") ids.pop_back();
  return ids;
}

// Returns the first position at which the answers differ, or the length of the
// longer one. An answer that ends earlier differs at its end.
std::size_t FirstDifference(const std::vector<std::int32_t>& a,
                            const std::vector<std::int32_t>& b) {
  const std::size_t both = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < both; ++i) {
    if (a[i] != b[i]) return i;
  }
  return both;
}

}  // namespace

GoldenResult CompareRun(const Json& run, const std::vector<std::int32_t>& ids,
                        const std::vector<float>& logprobs) {
  GoldenResult result;
  const std::vector<std::int32_t> expected = ExpectedIds(run);
  const auto oracle = run["logprobs"].get<std::vector<double>>();
  if (logprobs.size() != ids.size()) {
    result.error = std::to_string(ids.size()) + " tokens have " +
                   std::to_string(logprobs.size()) + " log-probabilities";
    return result;
  }
  const std::size_t same = FirstDifference(ids, expected);
  for (std::size_t i = 0; i < same; ++i) {
    result.error = CompareLogprob(i, logprobs[i], oracle[i],
                                  kBf16TokenTolerance, result.distance);
    if (!result.error.empty()) return result;
  }
  if (ids == expected) return result;
  // An answer that has ended chose the end-of-text token here.
  const Json& top = run["top"];
  std::optional<double> behind;
  if (same < top.size()) {
    behind =
        BehindBest(top[same], same < ids.size() ? ids[same] : kGoldenEndToken);
  }
  if (behind && *behind <= kBf16TieMargin) {
    result.near_tie = static_cast<int>(same);
    return result;
  }
  result.error = "token " + std::to_string(same) +
                 " is another one, and not within " +
                 std::to_string(kBf16TieMargin) + " of the oracle's best";
  if (behind) result.error += ", but " + std::to_string(*behind) + " behind it";
  return result;
}

GoldenResult CompareScore(const Json& score,
                          const std::vector<double>& logprobs) {
  GoldenResult result;
  const auto oracle = score["logprobs"].get<std::vector<double>>();
  if (logprobs.size() != oracle.size()) {
    result.error = "there are " + std::to_string(logprobs.size()) +
                   " scores instead of " + std::to_string(oracle.size());
    return result;
  }
  for (std::size_t i = 0; i < oracle.size() && result.error.empty(); ++i) {
    result.error = CompareLogprob(i, logprobs[i], oracle[i],
                                  kBf16ScoreTolerance, result.distance);
  }
  return result;
}

bool MayDiffer(const Json& run) {
  const Json& top = run["top"];
  return std::any_of(top.begin(), top.end(), [](const Json& best) {
    return best[0][1].get<double>() - best[1][1].get<double>() <=
           kBf16TieMargin;
  });
}

void GoldenTally::Add(const std::string& name, const GoldenResult& result) {
  ++compared_;
  near_ties_ += result.near_tie.has_value();
  distance_ = std::max(distance_, result.distance);
  if (!result.error.empty()) errors_.push_back(name + ": " + result.error);
}

}  // namespace apollo
