#include "model/language/chat_detection.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>

namespace apollo {
namespace {

constexpr std::size_t kMostMessages = 4;
// Fraction of the belief in the language of earlier messages that carries over
// to the next message. The rest is spread evenly, since people do change
// languages.
constexpr double kCarriedOver = 0.5;
// A message with at least this confidence needs no prior.
constexpr double kClear = 0.8;
// Number of languages over which the rest is spread.
constexpr double kLanguages = 50;

// The share of each language in the confidences of the candidates.
using Belief = std::map<std::string, double>;

struct State {
  Belief belief;
  double neutral = 1;  // Probability that all messages so far are neutral.
};

// Returns the prior probability of a language; uniform without a prior.
double Prior(const Belief& prior, const std::string& language) {
  if (prior.empty()) return 1.0 / kLanguages;
  const auto it = prior.find(language);
  return (1.0 - kCarriedOver) / kLanguages +
         (it == prior.end() ? 0.0 : kCarriedOver * it->second);
}

Belief Combine(const Belief& prior, const Detection& now) {
  // The detector's confidences are a posterior under a uniform prior. Mass
  // outside the candidates stays there.
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

// Combines two cases: the message is in no language and therefore carries no
// evidence, or it is in one.
State After(const State& before, const Detection& now) {
  if (now.candidates.empty()) {  // No evidence for a language of the table.
    if (!before.belief.empty()) return before;
    return {{}, before.neutral * now.neutral};
  }
  if (now.candidates.front().confidence >= kClear || before.belief.empty()) {
    return {Combine({}, now), now.neutral};
  }
  Detection in_a_language = now;
  for (LanguageGuess& guess : in_a_language.candidates) {
    guess.confidence =
        std::min(guess.confidence / std::max(1 - now.neutral, 1e-6), 1.0);
  }
  State after;
  after.neutral = before.neutral * now.neutral;
  for (const auto& [language, share] : before.belief) {
    after.belief[language] += now.neutral * share;
  }
  for (const auto& [language, share] : Combine(before.belief, in_a_language)) {
    after.belief[language] += (1 - now.neutral) * share;
  }
  return after;
}

}  // namespace

Detection DetectChat(const LanguageDetector& detector,
                     const std::vector<std::string_view>& user_messages) {
  State state;
  const std::size_t first = user_messages.size() > kMostMessages
                                ? user_messages.size() - kMostMessages
                                : 0;
  for (std::size_t i = first; i < user_messages.size(); ++i) {
    state = After(state, detector.Detect(user_messages[i]));
  }
  Detection detection;
  detection.neutral = state.neutral;
  for (const auto& [language, confidence] : state.belief) {
    detection.candidates.push_back({language, std::min(confidence, 1.0)});
  }
  std::stable_sort(detection.candidates.begin(), detection.candidates.end(),
                   [](const LanguageGuess& a, const LanguageGuess& b) {
                     return a.confidence > b.confidence;
                   });
  return detection;
}

}  // namespace apollo
