#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/language/detector.h"
#include "model/language/families.h"

namespace apollo {

struct Sentence {
  std::string language;
  std::string source;
  std::string text;
};

// Reads lines of <language> TAB <source> TAB <text>. Skips lines of other forms
// and of languages that are not in the table. Returns nothing if the file does
// not exist.
std::vector<Sentence> ReadSentences(const std::string& path,
                                    const FamilyTable& families);

// Returns the first `count` characters of UTF-8 text.
std::string Cut(const std::string& text, int count);

struct Tally {
  int right = 0;
  int right_family = 0;
  int all = 0;
};

// Shares of right guesses, averaged over the languages with equal weights,
// whatever their numbers of sentences.
struct Score {
  double language = 0;
  double family = 0;
  std::map<std::string, Tally> by_language;
  // Number of times the first language was taken for the second; "-" is no
  // guess.
  std::map<std::pair<std::string, std::string>, int> confusions;
};

// Returns the text shown to the detector for a sentence and its index.
using View = std::function<std::string(const Sentence&, std::size_t)>;

Score Evaluate(const LanguageDetector& detector, const FamilyTable& families,
               const std::vector<Sentence>& sentences, const View& view);

// Number of times a router would force the right family, none, or a wrong one.
struct Choices {
  int right = 0;
  int undecided = 0;
  int wrong = 0;
  // All results that are not right, as text.
  std::vector<std::string> mistakes;
};

// Counts the families that a router forces from `least_confidence` on. For the
// language "zxx" (none), every family counts as wrong and none as undecided.
Choices CountChoices(const LanguageDetector& detector,
                     const FamilyTable& families,
                     const std::vector<Sentence>& sentences,
                     double least_confidence);

// Reads lines of <kind> TAB <text>, where "\\n" is a line break: text in no
// language.
std::vector<Sentence> ReadNeutral(const std::string& path);

// Returns Wilson's 95% confidence interval for a share observed as `right` of
// `all`; {0, 1} if `all` is 0.
std::pair<double, double> WilsonInterval(int right, int all);

}  // namespace apollo
