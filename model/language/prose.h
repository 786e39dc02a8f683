#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace apollo {

// Splits a text into segments for detection: its lines, and the sentences of a
// line if they are long enough for detection.
//
// Omits code in backticks (fenced or inline), URLs, punctuation and invalid
// UTF-8. The rest becomes tokens separated by single spaces: words in lower
// case, numbers as "0" ("HbA1c 7.2" is "hba0c 0"), and the symbols that
// distinguish code from prose: "f(x); (why)" is "f(x); ( why )". The classifier
// is trained on the same tokens.
//
// Accepts any bytes. Reads only the beginning and the end of a text above
// kMaxProseBytes, where questions usually are. Segments are valid UTF-8, not
// empty, and have no spaces at their ends.
std::vector<std::string> SplitSegments(std::string_view text);

// Returns the segments of a text, joined with spaces.
std::string ExtractProse(std::string_view text);

inline constexpr int kMaxProseBytes = 4096;

}  // namespace apollo
