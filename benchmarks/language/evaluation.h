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

// Lines <language> TAB <source> TAB <text>; those of a language that the table
// does not have, and lines of another form, are left out. Empty if there is no
// such file.
std::vector<Sentence> ReadSentences(const std::string& path,
                                    const FamilyTable& families);

// The first `count` characters of UTF-8 text.
std::string Cut(const std::string& text, int count);

struct Tally {
  int right = 0;
  int right_family = 0;
  int all = 0;
};

// Shares of right guesses, averaged over the languages: one with few sentences
// counts as much as one with many.
struct Score {
  double language = 0;
  double family = 0;
  std::map<std::string, Tally> by_language;
  // How often a first language was taken for a second; "-" is no guess.
  std::map<std::pair<std::string, std::string>, int> confusions;
};

// A sentence and its place in the list to what the detector is shown.
using View = std::function<std::string(const Sentence&, std::size_t)>;

Score Evaluate(const LanguageDetector& detector, const FamilyTable& families,
               const std::vector<Sentence>& sentences, const View& view);

// How often a router would force the right family, none, or a wrong one.
struct Choices {
  int right = 0;
  int undecided = 0;
  int wrong = 0;
  std::vector<std::string> mistakes;  // All that is not right, as text.
};

// A family is forced from `least_confidence` on. `language` of a sentence may
// be "zxx" (none): then every family is wrong, and none is undecided.
Choices CountChoices(const LanguageDetector& detector,
                     const FamilyTable& families,
                     const std::vector<Sentence>& sentences,
                     double least_confidence);

// Lines <kind> TAB <text>, in which "\\n" is a line break: text in no language.
std::vector<Sentence> ReadNeutral(const std::string& path);

// Wilson's interval for a share of which `right` of `all` were seen: with 95%
// confidence the true share is in it. {0, 1} if nothing was seen.
std::pair<double, double> WilsonInterval(int right, int all);

}  // namespace apollo
