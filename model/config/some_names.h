#pragma once

#include <span>
#include <string>

namespace apollo {

// Lists names that come from a file, for a message: the first eight, quoted, in
// ASCII and of at most 100 bytes each, then the number of the others. Example:
// "a", "b" and 3 more.
std::string SomeNames(std::span<const std::string> names);

}  // namespace apollo
