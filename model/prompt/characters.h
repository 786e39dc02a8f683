#pragma once

#include <unicode/utf8.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace apollo {

// Returns the character at `at`, which moves behind it. Invalid UTF-8 gives a
// negative number, for one or more bytes.
inline std::int32_t NextCharacter(std::string_view text, std::size_t* at) {
  UChar32 c;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  U8_NEXT(bytes, *at, text.size(), c);
  return c;
}

inline void AppendCharacter(std::int32_t c, std::string* text) {
  char bytes[U8_MAX_LENGTH];
  std::size_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, c);
  text->append(bytes, size);
}

}  // namespace apollo
