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
// "zxx" is the label of what is in no language (Detection::neutral). A label
// "__label__<code>_Latn" of a language with other letters stands for romanised
// text.
//
// A text is judged by its segments (prose.h), and these by their scripts:
// where the letters alone settle the language (Hangul, Thai, Lao, ...; no label
// of a language outside the table may be natively written in them), they do;
// else only languages of that script are candidates. A language that is
// romanised needs much more proof than others. Segments vote by length; what is
// clearly in no language does not count beside others. A text of one word in
// ASCII letters may be a name: then the candidates' confidences sum to less
// than 0.5. Labels of languages that are not in the table take their share of
// the probability, so Dutch text gives candidates with low confidences.
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
