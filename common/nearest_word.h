#pragma once

#include <string>
#include <vector>

namespace apollo {

// Returns the one of `known` that was probably meant by a mistyped `word`: the
// one with the fewest single characters to insert, delete or replace, at most 2
// or a third of the word, and fewer than the word has. Empty if there is none.
// Of equally near ones, returns the first.
std::string NearestWord(const std::string& word,
                        const std::vector<std::string>& known);

}  // namespace apollo
