#include "model/tokenizer/utf8.h"

#include <unicode/utf8.h>

#include <cstdint>
#include <cstring>

namespace apollo {
namespace {

// Returns the end of the ASCII run that starts at `i`, or up to 7 bytes before
// it.
std::size_t SkipAscii(std::string_view text, std::size_t i) {
  while (i + 8 <= text.size()) {
    std::uint64_t bytes;
    std::memcpy(&bytes, text.data() + i, 8);
    if ((bytes & 0x8080808080808080) != 0) break;
    i += 8;
  }
  return i;
}

}  // namespace

std::size_t ValidUtf8Prefix(std::string_view text) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  const std::size_t size = text.size();
  std::size_t i = SkipAscii(text, 0);
  while (i < size) {
    if (bytes[i] < 0x80) {
      i = SkipAscii(text, i + 1);
      continue;
    }
    const std::size_t start = i;
    std::int32_t code_point;
    U8_NEXT(bytes, i, size, code_point);
    if (code_point < 0) return start;
  }
  return size;
}

std::size_t FirstCharacterBytes(std::string_view text) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  std::size_t size = 0;
  U8_FWD_1(bytes, size, text.size());
  return size;
}

std::size_t WithoutUnfinishedUtf8(std::string_view text) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  // Signed: the macro subtracts up to 3 before it compares with the start.
  auto length = static_cast<std::ptrdiff_t>(text.size());
  U8_TRUNCATE_IF_INCOMPLETE(bytes, 0, length);
  return static_cast<std::size_t>(length);
}

void AppendAsUtf8(std::string_view bytes, std::string* text) {
  while (true) {
    const std::size_t valid = ValidUtf8Prefix(bytes);
    text->append(bytes.substr(0, valid));
    bytes.remove_prefix(valid);
    if (bytes.empty()) return;
    const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    std::size_t wrong = 0;
    std::int32_t code_point;
    U8_NEXT(data, wrong, bytes.size(), code_point);
    text->append("\xEF\xBF\xBD");
    bytes.remove_prefix(wrong);
  }
}

}  // namespace apollo
