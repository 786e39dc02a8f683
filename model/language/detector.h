#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace apollo {

struct LanguageGuess {
  std::string language;  // A code of the families table.
  double confidence;     // The probability that the text is in it, in [0, 1].
};

// Best first, each language at most once, confidences summing to at most 1.
// What is missing to 1, but for `neutral`, is the chance that the language is
// none of the candidates. Empty: the text says nothing about its language (no
// letters, only code, ...).
struct Detection {
  std::vector<LanguageGuess> candidates;
  // The probability that the text is in no language at all: names, of medicines
  // or people, code, numbers. Whatever else tells the language then tells it
  // better.
  double neutral = 0;
};

// Guesses the language of a text. Implementations are immutable after
// construction: any number of threads may call Detect at once.
class LanguageDetector {
 public:
  virtual ~LanguageDetector() = default;

  // Takes any bytes, invalid UTF-8 and control characters included, of any
  // length: at most a few kilobytes of a long text are looked at. Never fails;
  // having no idea is an empty Detection. The text is neither kept nor logged.
  virtual Detection Detect(std::string_view utf8_text) const = 0;

  // Languages of the table that Detect never names, since nothing that the
  // detector knows stands for them. In the table's order.
  virtual std::vector<std::string> UndetectableLanguages() const { return {}; }
};

}  // namespace apollo
