#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// The parts of code.h's rules: what each piece of a line of text looks like.
namespace apollo::code {

inline bool IsBlank(char c) { return static_cast<unsigned char>(c) <= ' '; }
inline bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
inline bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
inline bool IsLetter(char c) { return IsLower(c) || IsUpper(c); }
inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }
inline bool IsNameCharacter(char c) {
  return IsLetter(c) || IsDigit(c) || c == '_';
}
inline bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }

enum class Kind {
  kOther,    // Not ASCII: never code.
  kPlain,    // Could be a word.
  kWeak,     // Common in code and in prose: keywords, numbers, signs.
  kBinding,  // An assignment or comparison: code, and so are its neighbours.
  kStrong,   // Seldom in prose.
};

// A run of text without blanks, or a part of one in one kind of script.
struct Piece {
  std::size_t begin, end;  // In the text.
  Kind kind;
  bool keyword;        // Weak because it is a word of programming languages.
  bool ends_sentence;  // Followed by nothing of the same sentence.
  bool code = false;
  bool statement = false;  // Code as a part of a statement.
};

struct Line {
  std::size_t begin, end;  // In the text.
  std::vector<Piece> pieces;
  bool indented = false;
  bool mostly = false;   // Most of it is code.
  bool code = false;     // All of it is.
  bool certain = false;  // And says so of lines beside it that could be.
};

// What a piece looks like by itself; not empty.
Kind KindOf(std::string_view piece);

// The word in a piece: "(where" and "else:" -> "where", "else".
std::string_view Trim(std::string_view piece);

std::string Lower(std::string_view word);

// Whether a piece is a plain word of two letters or more, with punctuation.
bool IsPlainWord(const Piece& piece, std::string_view text);

// The pieces of text[begin, end), which has no line break.
Line Split(std::string_view text, std::size_t begin, std::size_t end);

}  // namespace apollo::code
