#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace apollo::code {

// A segment of a line, piece by piece: as it stands in the text, and its word
// in lower case (empty if it has none). Both have the same size, at least one.
using Raw = std::span<const std::string_view>;
using Words = std::span<const std::string>;

// How many pieces, from the segment's first, are a statement that starts with a
// word of its own: "select name from users", "git status", "TypeError: ...". 0
// if none is.
std::size_t Statement(Raw raw, Words words, bool starts_line, bool ends_line);

// The same for SQL's "select" only.
std::size_t SqlQuery(Raw raw, Words words);

}  // namespace apollo::code
