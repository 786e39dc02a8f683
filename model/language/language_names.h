#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/language/families.h"

namespace apollo {

// Returns the code in the table of a language given in any usual way: a code, a
// tag or a locale (language_codes.h), or its name in English or in itself
// ("German", "deutsch"), by ICU's data and a few more. Names are compared
// without case, accents and surrounding blanks. Returns nothing for other text.
// Takes some hundred microseconds for what is not a code.
std::optional<std::string> FindLanguage(std::string_view given,
                                        const FamilyTable& families);

// Returns the reason for which FindLanguage found nothing, as a phrase that
// follows the name of a field or flag: the languages with similar names, and
// the codes of the table. Does not contain the text.
std::string DescribeUnknownLanguage(std::string_view given,
                                    const FamilyTable& families);

}  // namespace apollo
