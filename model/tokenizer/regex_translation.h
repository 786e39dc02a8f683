#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace apollo {

// Rewrites a regular expression for Oniguruma (Ruby's syntax, as the
// `tokenizers` library uses it) so that PCRE2 with UTF and UCP understands the
// same by it. The two differ in quiet ways: PCRE2's \s also has U+180E; \h is a
// hex digit in one and white space in the other; ^, $, \w, \b, {n,m}+ and
// nested sets differ too. So only what is known to mean the same, or can be
// rewritten, is let through; UNIMPLEMENTED names the rest.
absl::StatusOr<std::string> TranslateRegex(std::string_view oniguruma);

}  // namespace apollo
