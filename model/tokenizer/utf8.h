#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace apollo {

// Returns the length of the longest prefix that is valid UTF-8.
std::size_t ValidUtf8Prefix(std::string_view text);

// Returns the length of the character at the start of `text`, which must be
// UTF-8 and not empty.
std::size_t FirstCharacterBytes(std::string_view text);

// Returns the length of `text` without a trailing incomplete character that
// later bytes could still complete.
std::size_t WithoutUnfinishedUtf8(std::string_view text);

// Appends `bytes` to `text`, with each maximal invalid sequence replaced by
// U+FFFD, like Python's bytes.decode("utf-8", errors="replace") and the Unicode
// standard (section 3.9, "U+FFFD substitution of maximal subparts").
void AppendAsUtf8(std::string_view bytes, std::string* text);

}  // namespace apollo
