#pragma once

#include <string>

namespace apollo {

// Overwrites with blanks what looks like code that nothing marks as such:
// statements and expressions of programming languages, SQL, shell commands,
// JSON, CSS, LaTeX, settings and stack traces. Within a line only the part that
// has the signs of code goes, so that a question beside it stays; and only
// ASCII text goes at all.
//
// It takes two signs or one that prose does not have: brackets, semicolons,
// numbers or "for", "in" and "return" alone are words of people too. Any bytes
// may come in. Takes time in proportion to the text's length.
void BlankCode(std::string* text);

// Overwrites with blanks the lines that begin and end with a tag (<p>) and have
// a few words between tags, all ASCII and no question.
void BlankMarkup(std::string* text);

}  // namespace apollo
