#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace apollo {

// GPT-2's way of writing bytes as printable characters, in which tokenizer.json
// spells its vocabulary: '!'..'~', U+00A1..U+00AC and U+00AE..U+00FF stand for
// the byte of the same number; the other 68 bytes, in rising order, are written
// U+0100, U+0101, ... (a space is U+0120).

// The character for a byte, as UTF-8.
std::string_view ByteLevelCharacter(unsigned char byte);

// The bytes that `text` (UTF-8) spells. Nothing if it holds another character.
std::optional<std::string> BytesOfByteLevel(std::string_view text);

}  // namespace apollo
