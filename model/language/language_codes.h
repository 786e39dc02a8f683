#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/language/families.h"

namespace apollo {

// Returns the canonical code of the language in a BCP 47 tag, an ISO 639 code
// or a POSIX locale, by ICU's data (Unicode's CLDR): "DE", "deu", "ger",
// "de-AT" and "de_DE.UTF-8" are "de". Regions and scripts are dropped. Returns
// an empty string if the text has no such form; the code of a known form need
// not exist.
std::string CanonicalLanguageCode(std::string_view given);

// Returns the language of the table that a code or tag stands for, in the
// table's spelling: the code itself, one with the same canonical code, or else
// the macrolanguage of an individual language (ISO 639-3): "nb" is "no", "arz"
// is "ar". Returns nothing if there is none.
std::optional<std::string> FindLanguageCode(std::string_view given,
                                            const FamilyTable& families);

}  // namespace apollo
