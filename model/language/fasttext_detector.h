#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/language/detector.h"
#include "model/language/families.h"

namespace apollo {

// Loads a fastText classifier (.bin or .ftz): ours or any other, such as
// GlotLID or OpenLID. The optional file MODEL.settings next to MODEL maps
// labels to languages and calibrates the scores (fasttext_settings.h). Labels
// it does not name are read as "__label__<code>" or "__label__<code>_<Script>"
// with an ISO 639-1 or 639-3 code.
//
// The label "zxx" stands for text in no language (Detection::neutral). A label
// "__label__<code>_Latn" of a language with a non-Latin script stands for
// romanised text.
//
// A text is split into segments (prose.h), and these by script:
// - If the script alone determines the language (Hangul, Thai, Lao, ...), the
//   script decides. This requires that no label of a language outside the table
//   is natively written in that script.
// - Otherwise only languages of that script are candidates. A romanised
//   language needs much stronger evidence than others.
// - Segments vote with their length as weight. Clearly neutral segments do not
//   count beside others.
// - A text of a single ASCII word may be a name: the confidences then sum to
//   less than 0.5.
// - Labels of languages outside the table keep their share of the probability,
//   so Dutch text gives candidates with low confidences.
//
// `expected` holds canonical codes of the languages in which most texts are, in
// the table or not, each once. They are the detector's prior
// (docs/languages.md); empty: all languages of the table are equally likely.
//
// Returns NOT_FOUND if the file cannot be opened. Returns INVALID_ARGUMENT
// naming an expected language that the model does not know, or naming the file
// if it is not a fastText classifier, is truncated, has no
// label of a language of the table, or has invalid settings. Does not keep a
// reference to the table.
absl::StatusOr<std::unique_ptr<LanguageDetector>> LoadFastTextDetector(
    const std::string& path, const FamilyTable& families,
    const std::vector<std::string>& expected = {});

// Parses the contents of both files; `settings` may be empty. Copies the bytes.
// Errors start with `source`, the name of MODEL.
absl::StatusOr<std::unique_ptr<LanguageDetector>> ParseFastTextDetector(
    std::string_view model, std::string_view settings,
    const std::string& source, const FamilyTable& families,
    const std::vector<std::string>& expected = {});

}  // namespace apollo
