#include "tools/apollo/utf8.h"

#include <unicode/utf8.h>

#include <cstdint>

namespace apollo::client {

std::size_t FirstInvalidUtf8(std::string_view text) {
  // ICU's macros count in signed integers.
  const std::int64_t size = static_cast<std::int64_t>(text.size());
  std::int64_t at = 0;
  while (at < size) {
    const std::int64_t start = at;
    UChar32 character = 0;
    U8_NEXT(text.data(), at, size, character);
    if (character < 0) return static_cast<std::size_t>(start);
  }
  return kAllValid;
}

std::string ForTerminal(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  const std::int64_t size = static_cast<std::int64_t>(text.size());
  std::int64_t at = 0;
  while (at < size) {
    const std::int64_t start = at;
    UChar32 character = 0;
    U8_NEXT(text.data(), at, size, character);
    const bool control =
        character < 0x20 || (character >= 0x7f && character < 0xa0);
    if (control && character != '\n' && character != '\t') {
      result += "\xef\xbf\xbd";
    } else {
      result += text.substr(start, at - start);
    }
  }
  return result;
}

}  // namespace apollo::client
