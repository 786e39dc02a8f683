#pragma once

#include <absl/status/statusor.h>

#include <set>
#include <string>
#include <vector>

#include "model/language/families.h"
#include "model/language/fasttext_settings.h"

namespace apollo {

// A label of a fastText language classifier.
struct FastTextLabel {
  // Of its language: of the table, or else canonical (language_codes.h).
  std::string code;
  int language = -1;     // Index into FamilyTable::languages(); -1: not there.
  bool neutral = false;  // The label of text in no language.
  bool romanised = false;  // Stands for text in a script not native to it.
  std::set<std::string> scripts;  // Of its texts, as in script.h.
  // Factors for the classifier's probabilities: `prior` if all languages are
  // equally likely, `expected` with expected languages. Without these, both are
  // the same.
  double prior = 1;
  double expected = 1;
};

// Returns the labels with these names ("__label__de", "__label__hin_Latn"), in
// this order. Each code of `expected` is much more likely than other languages
// (docs/languages.md). Returns INVALID_ARGUMENT naming the file if no label is
// a language of the table, or if the settings map one to a language outside.
absl::StatusOr<std::vector<FastTextLabel>> ReadFastTextLabels(
    const std::vector<std::string>& names, const FastTextSettings& settings,
    const std::string& source, const FamilyTable& families,
    const std::vector<std::string>& expected);

}  // namespace apollo
