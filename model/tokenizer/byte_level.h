#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace apollo {

// GPT-2's printable spelling of bytes, used by the vocabulary of
// tokenizer.json: '!'..'~', U+00A1..U+00AC and U+00AE..U+00FF stand for the
// byte of the same number. The other 68 bytes, in rising order, are U+0100,
// U+0101, ... (space is U+0120).

// Returns the character for a byte, as UTF-8.
std::string_view ByteLevelCharacter(unsigned char byte);

// Returns the bytes that `text` (UTF-8) spells, or nullopt if it contains any
// other character.
std::optional<std::string> BytesOfByteLevel(std::string_view text);

}  // namespace apollo
