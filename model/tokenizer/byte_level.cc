#include "model/tokenizer/byte_level.h"

#include <unicode/utf8.h>

#include <array>
#include <cstdint>

namespace apollo {
namespace {

constexpr int kCharacters = 0x100 + 68;  // All code points are below this.

struct Tables {
  std::array<std::string, 256> characters;
  std::array<std::int16_t, kCharacters> bytes;  // -1: no byte.

  Tables() {
    bytes.fill(-1);
    int next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool itself = (byte >= '!' && byte <= '~') ||
                          (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      const int code_point = itself ? byte : next++;
      bytes[code_point] = static_cast<std::int16_t>(byte);
      char buffer[4];
      int length = 0;
      U8_APPEND_UNSAFE(buffer, length, code_point);
      characters[byte].assign(buffer, length);
    }
  }
};

const Tables& GetTables() {
  static const Tables tables;
  return tables;
}

}  // namespace

std::string_view ByteLevelCharacter(unsigned char byte) {
  return GetTables().characters[byte];
}

std::optional<std::string> BytesOfByteLevel(std::string_view text) {
  const Tables& tables = GetTables();
  const auto* data = reinterpret_cast<const std::uint8_t*>(text.data());
  std::string bytes;
  bytes.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    std::int32_t code_point;
    U8_NEXT(data, i, text.size(), code_point);
    if (code_point < 0 || code_point >= kCharacters ||
        tables.bytes[code_point] < 0) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<char>(tables.bytes[code_point]));
  }
  return bytes;
}

}  // namespace apollo
