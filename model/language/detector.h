#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace apollo {

struct LanguageGuess {
  std::string language;  // A code of the families table.
  double confidence;     // The probability of the language, in [0, 1].
};

// The result of a detection. Candidates are sorted by falling confidence, each
// language occurs at most once, and confidences plus `neutral` sum to at most
// 1. The remainder is the probability of a language that is not a candidate. No
// candidates: the text says nothing about its language (no letters, only code,
// ...; `neutral` is 1), or is in no language of the table.
struct Detection {
  std::vector<LanguageGuess> candidates;
  // The probability that the text is in no language: names of medicines or
  // people, code, numbers. Other evidence of the language should then take
  // precedence.
  double neutral = 0;
};

// Detects the language of a text. Implementations are immutable after
// construction and therefore thread-safe.
class LanguageDetector {
 public:
  virtual ~LanguageDetector() = default;

  // Accepts any bytes of any length, including invalid UTF-8 and control
  // characters; reads at most a few kilobytes of a long text. Never fails: a
  // text without evidence gives no candidates. The text is neither kept
  // nor logged.
  virtual Detection Detect(std::string_view utf8_text) const = 0;

  // Returns the languages of the table, in its order, that Detect never returns
  // because the detector has no label for them.
  virtual std::vector<std::string> UndetectableLanguages() const { return {}; }
};

}  // namespace apollo
