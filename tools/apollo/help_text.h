#pragma once

#include <string>

namespace apollo::client {

// Breaks the lines of an option's help between words: CLI11 indents lines but
// does not break them.
std::string Wrap(const std::string& text);

}  // namespace apollo::client
