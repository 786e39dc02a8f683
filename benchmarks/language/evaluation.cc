#include "benchmarks/language/evaluation.h"

#include <absl/strings/str_format.h>
#include <absl/strings/str_replace.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "model/language/family_guess.h"

namespace apollo {

std::string Cut(const std::string& text, int count) {
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const bool starts = (text[i] & 0xC0) != 0x80;
    if (starts && count-- == 0) break;
  }
  return text.substr(0, i);
}

std::vector<Sentence> ReadSentences(const std::string& path,
                                    const FamilyTable& families) {
  std::vector<Sentence> sentences;
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t a = line.find('\t');
    const std::size_t b = line.find('\t', a + 1);
    if (a == std::string::npos || b == std::string::npos) continue;
    Sentence s{line.substr(0, a), line.substr(a + 1, b - a - 1),
               line.substr(b + 1)};
    if (families.ExpertOf(s.language)) sentences.push_back(std::move(s));
  }
  return sentences;
}

Score Evaluate(const LanguageDetector& detector, const FamilyTable& families,
               const std::vector<Sentence>& sentences, const View& view) {
  Score score;
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    const Sentence& s = sentences[i];
    const Detection detection = detector.Detect(view(s, i));
    Tally& tally = score.by_language[s.language];
    ++tally.all;
    const std::string guess =
        detection.candidates.empty() ? "-" : detection.candidates[0].language;
    const auto family = GuessFamily(detection, families);
    tally.right += guess == s.language;
    tally.right_family +=
        family.has_value() && family->expert == families.ExpertOf(s.language);
    if (guess != s.language) ++score.confusions[{s.language, guess}];
  }
  for (const auto& [language, tally] : score.by_language) {
    score.language += static_cast<double>(tally.right) / tally.all;
    score.family += static_cast<double>(tally.right_family) / tally.all;
  }
  score.language /= static_cast<double>(score.by_language.size());
  score.family /= static_cast<double>(score.by_language.size());
  return score;
}

Choices CountChoices(const LanguageDetector& detector,
                     const FamilyTable& families,
                     const std::vector<Sentence>& sentences,
                     double least_confidence) {
  Choices choices;
  for (const Sentence& s : sentences) {
    const Detection detection = detector.Detect(s.text);
    const auto family = GuessFamily(detection, families);
    const bool forced =
        family.has_value() && family->confidence >= least_confidence;
    const bool right =
        forced && family->expert == families.ExpertOf(s.language);
    choices.undecided += !forced;
    choices.right += right;
    choices.wrong += forced && !right;
    if (right || (!forced && s.language == "zxx")) continue;
    std::string text = s.language + " " + s.text;
    for (std::size_t i = 0; i < detection.candidates.size() && i < 3; ++i) {
      const LanguageGuess& guess = detection.candidates[i];
      text += absl::StrFormat(" %s %.2f", guess.language, guess.confidence);
    }
    text += absl::StrFormat(" zxx %.2f", detection.neutral);
    choices.mistakes.push_back((forced ? "WRONG " : "undecided ") + text);
  }
  return choices;
}

std::vector<Sentence> ReadNeutral(const std::string& path) {
  std::vector<Sentence> sentences;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) continue;
    sentences.push_back(
        {"zxx", line.substr(0, tab),
         absl::StrReplaceAll(line.substr(tab + 1), {{"\\n", "\n"}})});
  }
  return sentences;
}

// E. B. Wilson, "Probable inference, the law of succession, and statistical
// inference", J. Am. Stat. Assoc. 22 (1927). 1.96 is the 97.5% point of the
// normal distribution.
std::pair<double, double> WilsonInterval(int right, int all) {
  if (all == 0) return {0, 1};
  constexpr double z = 1.959964;
  const double n = all;
  const double p = right / n;
  const double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half =
      z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

}  // namespace apollo
