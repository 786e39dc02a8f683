#include "model/language/fasttext_labels.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/status_macros.h"
#include "model/language/language_codes.h"
#include "model/language/script.h"

namespace apollo {
namespace {

// Most users write in a language of the table, and taking names or code for a
// language does more harm than leaving a question to top-k.
constexpr double kPriorOfOthers = 0.5;
constexpr double kPriorOfNeutral = 6;
// Probability that a text in a language is in an expected one, if there are
// any.
constexpr double kExpected = 0.7;
// ISO 639 code for no linguistic content; a label of the classifier.
constexpr std::string_view kNoLanguage = "zxx";

// Returns the language of a label: "__label__srp_Cyrl" -> "sr".
std::string LanguageOfLabel(std::string label) {
  constexpr std::string_view kPrefix = "__label__";
  if (label.starts_with(kPrefix)) label.erase(0, kPrefix.size());
  label.resize(std::min(label.find('_'), label.size()));
  const std::string code = CanonicalLanguageCode(label);
  return code.empty() ? label : code;
}

absl::StatusOr<FastTextLabel> ReadLabel(const std::string& name,
                                        const FastTextSettings& settings,
                                        const std::string& source,
                                        const FamilyTable& families) {
  const auto set = settings.languages.find(name);
  const std::string code =
      set != settings.languages.end() ? set->second : LanguageOfLabel(name);
  const std::string language = FindLanguageCode(code, families).value_or("");
  if (set != settings.languages.end() && !code.empty() && language.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        source, ".settings: label ", name, " is mapped to language ", code,
        ", which is not in the families table; use - for other languages"));
  }
  FastTextLabel label;
  label.neutral = code == kNoLanguage;
  label.code = language.empty() ? LanguageOfLabel(name) : language;
  if (!language.empty()) {
    const std::vector<std::string> languages = families.languages();
    label.language = static_cast<int>(
        std::find(languages.begin(), languages.end(), language) -
        languages.begin());
  }
  const std::vector<std::string> scripts = NativeScripts(label.code);
  label.scripts.insert(scripts.begin(), scripts.end());
  if (name.ends_with("_Latn")) {
    label.romanised = !label.scripts.contains("Latn");
    label.scripts = {"Latn"};
  }
  return label;
}

// Sets the factors. With n expected languages, each has the probability
// kExpected / n, and the rest is distributed over all languages as before. Only
// the ratios matter: all languages together keep theirs to `neutral`.
void SetPriors(const std::vector<std::string>& expected,
               std::vector<FastTextLabel>* labels) {
  double sum = 0;
  for (FastTextLabel& label : *labels) {
    label.prior = label.neutral        ? kPriorOfNeutral
                  : label.language < 0 ? kPriorOfOthers
                                       : 1.0;
    label.expected = label.prior;
    if (!label.neutral && !label.romanised) sum += label.prior;
  }
  if (expected.empty()) return;
  const double share = kExpected * sum / static_cast<double>(expected.size());
  for (FastTextLabel& label : *labels) {
    if (label.neutral) continue;
    label.expected = (1 - kExpected) * label.prior;
    const bool is_expected = std::find(expected.begin(), expected.end(),
                                       label.code) != expected.end();
    if (is_expected) label.expected += share;
  }
}

}  // namespace

absl::StatusOr<std::vector<FastTextLabel>> ReadFastTextLabels(
    const std::vector<std::string>& names, const FastTextSettings& settings,
    const std::string& source, const FamilyTable& families,
    const std::vector<std::string>& expected) {
  std::vector<FastTextLabel> labels;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(FastTextLabel label,
                     ReadLabel(name, settings, source, families));
    labels.push_back(std::move(label));
  }
  const bool any = std::any_of(
      labels.begin(), labels.end(),
      [](const FastTextLabel& label) { return label.language >= 0; });
  if (!any) {
    return absl::InvalidArgumentError(absl::StrCat(
        source, ": none of its ", labels.size(),
        " labels is a language of the families table; map them in ", source,
        ".settings (\"label <label> <language>\")"));
  }
  SetPriors(expected, &labels);
  return labels;
}

}  // namespace apollo
