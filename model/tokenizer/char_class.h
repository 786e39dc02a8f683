#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace apollo {

// The character classes that splitters use. Letters and numbers follow Unicode
// 16.0, like the Oniguruma used by the `tokenizers` library.
enum CharClass : std::uint8_t {
  kOther = 0,
  kLetter = 1,   // General category L.
  kNumber = 2,   // General category N.
  kSpace = 4,    // White_Space.
  kNewline = 8,  // CR or LF; always together with kSpace.
};

// A lookup table of the classes of all Unicode characters, built from ICU on
// first use.
class CharClasses {
 public:
  static const CharClasses& Get();

  std::uint8_t Of(std::uint32_t code_point) const {
    return blocks_[block_of_[code_point >> kBlockBits]]
                  [code_point & (kBlockSize - 1)];
  }

  // The class and the length in bytes of the character at the start of `text`
  // (UTF-8, not empty).
  struct Character {
    std::uint8_t char_class;
    std::uint8_t size;
  };
  Character First(const char* text) const {
    const auto* s = reinterpret_cast<const std::uint8_t*>(text);
    if (s[0] < 0x80) return {blocks_[0][s[0]], 1};
    if (s[0] < 0xE0) return {Of((s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu)), 2};
    const std::uint32_t low = (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
    if (s[0] < 0xF0) return {Of((s[0] & 0x0Fu) << 12 | low), 3};
    return {Of((s[0] & 0x07u) << 18 | low << 6 | (s[3] & 0x3Fu)), 4};
  }

  // Returns true if the character at the start of `text` is a number (N) for
  // the "Digits" step of the `tokenizers` library, which uses Rust with Unicode
  // 17.0.
  bool IsRustNumber(const char* text, Character character) const {
    return character.char_class == kNumber ||
           (character.size == 4 && IsNewestNumber(text));
  }

 private:
  static bool IsNewestNumber(const char* text);

  static constexpr int kBlockBits = 8;
  static constexpr std::uint32_t kBlockSize = 1 << kBlockBits;
  static constexpr std::uint32_t kCodePoints = 0x110000;
  using Block = std::array<std::uint8_t, kBlockSize>;

  CharClasses();

  // Block 0 holds the first 256 code points. Equal blocks are shared.
  std::vector<Block> blocks_;
  std::array<std::uint8_t, kCodePoints / kBlockSize> block_of_;
};

}  // namespace apollo
