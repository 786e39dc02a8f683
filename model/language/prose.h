#pragma once

#include <string>
#include <string_view>

namespace apollo {

// The words of a text that can tell its language: what is left without code
// (fenced, in backticks, or looking like it), tags, URLs, addresses, numbers
// with their units, identifiers and names built like those of drugs, which are
// the same in every language. Punctuation becomes single spaces, letters lower
// case.
//
// Any bytes may come in: what is not UTF-8 counts as a space. Of a text above
// kMaxProseBytes only the beginning and the end are looked at, which is where
// questions stand. The result is valid UTF-8, without blanks at its ends.
std::string ExtractProse(std::string_view text);

inline constexpr int kMaxProseBytes = 4096;

}  // namespace apollo
