#pragma once

#include <string>
#include <string_view>

namespace apollo {

// Overwrites with blanks what looks like code that nothing marks as such:
// statements and expressions of programming languages, SQL, shell commands,
// JSON, CSS, LaTeX, settings and stack traces. Within a line only the part that
// has the signs of code goes, so that a question beside it stays; and only
// ASCII text goes at all.
//
// In doubt text is prose, since to lose a question is worse than to keep code:
// it takes two signs or one that prose does not have. Brackets, semicolons,
// arrows, numbers, lists of "key: value" or "for", "in" and "return" alone are
// people's too. Any bytes may come in. Takes time in proportion to the text's
// length.
void BlankCode(std::string* text);

// Overwrites with blanks the lines that begin and end with a tag (<p>) and have
// a few words between tags, all ASCII and no question.
void BlankMarkup(std::string* text);

// Whether `token`, which has no blanks, is a word with a remark as people write
// it, "Fieber(39),", "tos(seca)" or "(hoch);", and not a call.
bool IsWordWithRemark(std::string_view token);

}  // namespace apollo
