#include "model/language/votes.h"

#include <algorithm>
#include <cstddef>

namespace apollo {
namespace {

constexpr double kClearlyNeutral = 0.7;
// Minimum confidence of the best language at which clearly neutral votes do not
// count.
constexpr double kSureBesideNeutral = 0.8;
constexpr double kLeastConfidence = 1e-4;

bool IsClearlyNeutral(const Vote& vote) {
  return vote.neutral >= kClearlyNeutral;
}

Detection Count(const std::vector<Vote>& votes,
                const std::vector<std::string>& languages, bool all) {
  std::vector<double> sums(languages.size());
  double weight = 0;
  Detection detection;
  for (const Vote& vote : votes) {
    if (!all && IsClearlyNeutral(vote)) continue;
    weight += vote.weight;
    detection.neutral += vote.weight * vote.neutral;
    for (const auto& [language, share] : vote.shares) {
      sums[language] += vote.weight * share;
    }
  }
  if (weight <= 0) return {{}, 1.0};
  detection.neutral = std::min(detection.neutral / weight, 1.0);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const double confidence = sums[i] / weight;
    if (confidence >= kLeastConfidence) {
      detection.candidates.push_back({languages[i], std::min(confidence, 1.0)});
    }
  }
  std::stable_sort(detection.candidates.begin(), detection.candidates.end(),
                   [](const LanguageGuess& a, const LanguageGuess& b) {
                     return a.confidence > b.confidence;
                   });
  return detection;
}

}  // namespace

Detection CountVotes(const std::vector<Vote>& votes,
                     const std::vector<std::string>& languages) {
  if (std::none_of(votes.begin(), votes.end(), IsClearlyNeutral)) {
    return Count(votes, languages, /*all=*/true);
  }
  Detection others = Count(votes, languages, /*all=*/false);
  const bool sure = !others.candidates.empty() &&
                    others.candidates.front().confidence >= kSureBesideNeutral;
  return sure ? others : Count(votes, languages, /*all=*/true);
}

}  // namespace apollo
