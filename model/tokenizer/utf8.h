#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace apollo {

// The length of the longest prefix that is valid UTF-8: text.size() if all is.
std::size_t ValidUtf8Prefix(std::string_view text);

// The length of `text` without an unfinished character at its end that later
// bytes could still complete.
std::size_t WithoutUnfinishedUtf8(std::string_view text);

// Appends `bytes` to `text`, each maximal wrong sequence replaced by U+FFFD:
// what Python's bytes.decode("utf-8", errors="replace") and the Unicode
// standard (section 3.9, "U+FFFD substitution of maximal subparts") say.
void AppendAsUtf8(std::string_view bytes, std::string* text);

}  // namespace apollo
