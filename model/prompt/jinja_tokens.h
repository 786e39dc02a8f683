#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace apollo {

// A word of the code of a template.
struct JinjaToken {
  enum class Kind { kName, kNumber, kString, kSymbol };
  Kind kind = Kind::kSymbol;
  std::string_view text;           // A string without its quotes.
  std::size_t begin = 0, end = 0;  // Bytes of the source, with quotes.

  bool Is(std::string_view word) const {
    return kind != Kind::kString && text == word;
  }
};

// The tokens of a tag {{ }} or {% %}, without its marks. All refer to the
// source.
struct JinjaTag {
  bool prints = false;  // {{ }}
  std::vector<JinjaToken> tokens;
};

// Returns the tags of a source in order. Never fails: minja names the faults.
std::vector<JinjaTag> JinjaTagsOf(std::string_view source);

}  // namespace apollo
