#include "model/language/chat_detection.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>

namespace apollo {
namespace {

constexpr std::size_t kMostMessages = 4;
// How much of the belief in the earlier messages' language carries over to the
// next message; the rest is spread evenly, since people do change languages.
constexpr double kCarriedOver = 0.5;
// A message at least as clear as that needs nothing of what came before.
constexpr double kClear = 0.8;
// Languages that a short message can be in, for the evenly spread part.
constexpr double kLanguages = 50;

// The share of candidates' confidences that each language gets.
using Belief = std::map<std::string, double>;

// The prior's probability of a language; even if there is no prior.
double Prior(const Belief& prior, const std::string& language) {
  if (prior.empty()) return 1.0 / kLanguages;
  const auto it = prior.find(language);
  return (1.0 - kCarriedOver) / kLanguages +
         (it == prior.end() ? 0.0 : kCarriedOver * it->second);
}

Belief Combine(const Belief& before, const Detection& now) {
  // Says nothing, or less than anything before it: nothing changes.
  if (now.candidates.empty() || (now.perhaps_names && !before.empty())) {
    return before;
  }
  const bool clear = now.candidates.front().confidence >= kClear;
  const Belief prior = clear ? Belief{} : before;
  // The detector's confidences are its posterior under an even prior. Mass that
  // it gave to none of the candidates stays with none.
  double named = 0;
  for (const LanguageGuess& guess : now.candidates) named += guess.confidence;
  Belief belief;
  double sum = 0;
  for (const LanguageGuess& guess : now.candidates) {
    const double weight = guess.confidence * Prior(prior, guess.language);
    belief[guess.language] = weight;
    sum += weight;
  }
  const double rest = std::max(0.0, 1.0 - named) * Prior({}, "");
  if (sum + rest <= 0) return prior;
  for (auto& [language, weight] : belief) weight /= sum + rest;
  return belief;
}

}  // namespace

Detection DetectChat(const LanguageDetector& detector,
                     const std::vector<std::string_view>& user_messages) {
  Belief belief;
  const std::size_t first = user_messages.size() > kMostMessages
                                ? user_messages.size() - kMostMessages
                                : 0;
  for (std::size_t i = first; i < user_messages.size(); ++i) {
    belief = Combine(belief, detector.Detect(user_messages[i]));
  }
  Detection detection;
  for (const auto& [language, confidence] : belief) {
    detection.candidates.push_back({language, std::min(confidence, 1.0)});
  }
  std::stable_sort(detection.candidates.begin(), detection.candidates.end(),
                   [](const LanguageGuess& a, const LanguageGuess& b) {
                     return a.confidence > b.confidence;
                   });
  return detection;
}

}  // namespace apollo
