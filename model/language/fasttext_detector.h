#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <string_view>

#include "model/language/detector.h"
#include "model/language/families.h"

namespace apollo {

// A fastText classifier (.bin or .ftz), ours or any other such as GlotLID or
// OpenLID. Beside MODEL, the file MODEL.settings, if there is one, says which
// label means which language and how sure the scores may be
// (fasttext_settings.h). Labels it does not name are read as "__label__<code>"
// or
// "__label__<code>_<Script>" with an ISO 639-1 or 639-3 code.
//
// The writing system comes first: where the letters alone settle the language
// (Hangul, Thai, Lao, ...; no label of a language outside the table may be
// natively written in them), or leave only some of the table's languages, those
// are the candidates. Code, numbers, URLs and the like are taken out of the
// text (ExtractQuestion). What is left of a text in Latin letters may be one or
// two words that could be names: then the candidates' confidences sum to less
// than 0.5, and perhaps_names is set. Labels of languages that are not in the
// table take their share of the probability, so Dutch text gives candidates
// with low confidences.
//
// NOT_FOUND if the file cannot be opened; INVALID_ARGUMENT naming the file if
// it is not a fastText classifier, is truncated, or none of its labels is a
// language of the table, or if the settings are wrong. Copies what it needs of
// the table.
absl::StatusOr<std::unique_ptr<LanguageDetector>> LoadFastTextDetector(
    const std::string& path, const FamilyTable& families);

// The same for the contents of both files; `settings` may be empty. The bytes
// are copied. Errors start with `source`, which stands for MODEL's name.
absl::StatusOr<std::unique_ptr<LanguageDetector>> ParseFastTextDetector(
    std::string_view model, std::string_view settings,
    const std::string& source, const FamilyTable& families);

}  // namespace apollo
