#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// Splits a text into the segments that are judged one by one: its lines, and
// the sentences of a line if they are long enough to tell their language.
//
// Left out are code in backticks (fenced or within a line), URLs, punctuation,
// and what is not valid UTF-8. The rest becomes tokens between single blanks:
// words in lower case, numbers as "0" ("HbA1c 7.2" is "hba0c 0"), and the
// symbols that code has, which tell it from prose: "f(x); (why)" is
// "f(x); ( why )". The classifier is trained on the same tokens.
//
// Any bytes may come in. Of a text above kMaxProseBytes only the beginning and
// the end are looked at, which is where questions stand. The segments are valid
// UTF-8, have no blanks at their ends, and none is empty.
std::vector<std::string> SplitSegments(std::string_view text);

// The segments of a text, joined with blanks.
std::string ExtractProse(std::string_view text);

inline constexpr int kMaxProseBytes = 4096;

}  // namespace apollo
