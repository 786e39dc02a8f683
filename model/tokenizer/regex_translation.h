#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace apollo {

// Translates a regular expression from Oniguruma (Ruby syntax, as used by the
// `tokenizers` library) to PCRE2 with UTF and UCP. The dialects differ in
// subtle ways: PCRE2's \s also matches U+180E; \h is a hexadecimal digit in one
// and white space in the other; ^, $, \w, \b, {n,m}+ and nested sets differ
// too. Accepts only constructs that are known to have the same meaning or can
// be rewritten. Returns UNIMPLEMENTED naming any other.
absl::StatusOr<std::string> TranslateRegex(std::string_view oniguruma);

}  // namespace apollo
