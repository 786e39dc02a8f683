#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "model/language/families.h"

namespace apollo {

// Texts by the expert of their language family: [experts][texts].
using FamilyTexts = std::vector<std::vector<std::string>>;

// Reads texts with their languages, which are codes of the table:
// - from a file, one text a line: the language in the first column, the text in
//   the last, separated by tabs. Further columns are ignored;
// - from a directory, the files LANGUAGE.txt, one text a line, in the order of
//   their names.
// Empty lines, and languages that the table does not have, are left out.
//
// Returns NOT_FOUND if the path does not exist, and INVALID_ARGUMENT, naming
// the file and the line, for a line without a tab, or if a family has no text.
// Errors contain no text.
absl::StatusOr<FamilyTexts> ReadFamilyTexts(const std::string& path,
                                            const FamilyTable& families);

}  // namespace apollo
