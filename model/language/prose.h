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

// ExtractProse for what people ask: also without code that nothing marks as
// such (code.h), and without names of medicines and the like (international.h).
// Words with a remark ("Fieber(39)") and tokens with letters that are not ASCII
// are never code here. Abbreviations, words of 2 to 4 ASCII capitals, keep them
// unless a longer word is in capitals too.
// Apart from ExtractProse, because the classifier is trained on what that
// leaves: new rules here do not change the training text.
std::string ExtractQuestion(std::string_view text);

inline constexpr int kMaxProseBytes = 4096;

}  // namespace apollo
