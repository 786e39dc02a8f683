#include "model/language/prose.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace apollo {
namespace {

// Minimum letters of a sentence that forms a segment. Han, Hangul and kana
// count three.
constexpr int kLettersOfSentence = 24;

bool IsAsciiLetter(UChar32 c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Returns true for letters, and for marks, which carry vowels in many scripts.
bool IsWordPart(UChar32 c) {
  if (c < 0x80) return IsAsciiLetter(c);
  const int8_t type = u_charType(c);
  return u_isalpha(c) || type == U_NON_SPACING_MARK ||
         type == U_COMBINING_SPACING_MARK || type == U_ENCLOSING_MARK;
}

UChar32 ToLower(UChar32 c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
  return u_tolower(c);
}

bool IsDigit(UChar32 c) {
  return c < 0x80 ? c >= '0' && c <= '9' : static_cast<bool>(u_isdigit(c));
}

bool IsBlank(UChar32 c) {
  return c <= ' ' || c == 0x7F || c == 0x200B ||
         (c >= 0x80 && (u_isUWhiteSpace(c) || u_iscntrl(c)));
}

// Apostrophes are parts of words (gn, ha, fr).
bool IsApostrophe(UChar32 c) { return c == '\'' || c == 0x2019 || c == 0x02BC; }

// Joiners and soft hyphens occur inside words and are not letters.
bool IsJoiner(UChar32 c) { return c == 0x200C || c == 0x200D || c == 0xAD; }

bool IsSentenceEnd(UChar32 c) {
  return c == '.' || c == '!' || c == '?' || c == 0x61F || c == 0x964 ||
         c == 0x3002 || c == 0xFF01 || c == 0xFF1F;
}

bool IsOneOf(UChar32 c, std::string_view characters) {
  return c > 0 && c < 0x80 &&
         characters.find(static_cast<char>(c)) != std::string_view::npos;
}

// Symbols that are more frequent in code than in prose.
bool IsSymbol(UChar32 c) { return IsOneOf(c, "{}()[];=<>|&$@#%^~\\_/*+`"); }

// Returns true for the continuation of a symbol: "->", "!=", "):".
bool ContinuesSymbol(UChar32 c) { return IsOneOf(c, ":-!\""); }

// Builds segments character by character.
class Writer {
 public:
  void Word(UChar32 c) {
    const bool ascii = c < 0x80;
    if (kind_ == Kind::kSymbol && !(code_ && ascii)) Break();
    if (kind_ == Kind::kNumber && !ascii) Break();
    Start();
    Append(ToLower(c));
    kind_ = ascii ? Kind::kAscii : Kind::kOther;
    if (IsAsciiLetter(c) || u_isalpha(c)) letters_ += c >= 0x2E80 ? 3 : 1;
  }

  // Adds a digit. A run of digits, "." and "," becomes one "0".
  void Digit() {
    if (kind_ == Kind::kNumber) return;
    if (kind_ != Kind::kAscii && !(kind_ == Kind::kSymbol && code_)) Break();
    Start();
    segment_.push_back('0');
    kind_ = Kind::kNumber;
  }

  // Directly after a word, a symbol makes it a token of code, "f(x)", which
  // extends to the next space. Exception: closing brackets that were opened
  // before the word.
  void Symbol(UChar32 c) {
    const bool word = kind_ == Kind::kAscii || kind_ == Kind::kNumber;
    if (word && !IsOneOf(c, ")]}>")) code_ = true;
    if (kind_ != Kind::kSymbol && !(word && code_)) Break();
    Start();
    segment_.push_back(static_cast<char>(c));
    kind_ = Kind::kSymbol;
  }

  void Apostrophe() {
    if (in_word()) segment_.push_back('\'');
  }

  // Ends the current token.
  void Break() {
    while (in_word() && !segment_.empty() && segment_.back() == '\'') {
      segment_.pop_back();
    }
    kind_ = Kind::kNone;
    code_ = false;
  }

  void EndSentence() {
    if (letters_ >= kLettersOfSentence) EndSegment();
  }

  void EndSegment() {
    Break();
    if (!segment_.empty()) segments_.push_back(std::move(segment_));
    segment_.clear();
    letters_ = 0;
  }

  bool in_word() const {
    return kind_ == Kind::kAscii || kind_ == Kind::kOther;
  }
  bool in_number() const { return kind_ == Kind::kNumber; }
  bool in_symbol() const { return kind_ == Kind::kSymbol; }
  bool between_tokens() const { return kind_ == Kind::kNone; }

  std::vector<std::string> Finish() {
    EndSegment();
    return std::move(segments_);
  }

 private:
  // The kind of the current token.
  enum class Kind { kNone, kAscii, kOther, kNumber, kSymbol };

  void Start() {
    if (kind_ == Kind::kNone && !segment_.empty()) segment_.push_back(' ');
  }

  void Append(UChar32 c) {
    uint8_t bytes[U8_MAX_LENGTH];
    int32_t size = 0;
    U8_APPEND_UNSAFE(bytes, size, c);
    segment_.append(reinterpret_cast<const char*>(bytes), size);
  }

  std::vector<std::string> segments_;
  std::string segment_;
  Kind kind_ = Kind::kNone;
  bool code_ = false;  // The token has symbols after letters.
  int letters_ = 0;    // In the current segment.
};

// Returns the two ends of a long text, joined by a line break. A character cut
// in two counts as invalid and therefore as a space.
std::string Ends(std::string_view text) {
  if (text.size() <= kMaxProseBytes) return std::string(text);
  constexpr std::size_t half = kMaxProseBytes / 2;
  std::string ends(text.substr(0, half));
  ends.push_back('\n');
  ends.append(text.substr(text.size() - half));
  return ends;
}

// Blanks out ``` blocks (to the end if unclosed) and `code` within one line.
void BlankBackticks(std::string* text) {
  std::size_t open = 0;
  while ((open = text->find('`', open)) != std::string::npos) {
    const bool fence = text->compare(open, 3, "```") == 0;
    std::size_t close;
    if (fence) {
      close = text->find("```", open + 3);
      close = close == std::string::npos ? text->size() : close + 3;
    } else {
      close = text->find_first_of("`\n", open + 1);
      if (close == std::string::npos || (*text)[close] == '\n') {
        ++open;
        continue;
      }
      ++close;
    }
    std::fill(text->begin() + open, text->begin() + close, ' ');
    open = close;
  }
}

// Blanks out "http:...", "https:..." and "www...." up to a space, or up to
// non-ASCII letters, which can follow a URL without a space.
void BlankUrls(std::string* text) {
  const auto blank = [text](std::size_t begin) {
    std::size_t end = begin;
    const auto visible = [](char c) { return c > ' ' && c < 0x7F; };
    while (end < text->size() && visible((*text)[end])) (*text)[end++] = ' ';
  };
  for (std::size_t at = 0; (at = text->find("://", at)) != std::string::npos;) {
    std::size_t begin = at;
    while (begin > 0 && IsAsciiLetter((*text)[begin - 1])) --begin;
    blank(begin);
  }
  for (std::size_t at = 0;
       (at = text->find("www.", at)) != std::string::npos;) {
    blank(at);
  }
}

}  // namespace

std::vector<std::string> SplitSegments(std::string_view text) {
  std::string visible = Ends(text);
  BlankBackticks(&visible);
  BlankUrls(&visible);
  Writer writer;
  bool sentence_ended = false;
  const auto* bytes = reinterpret_cast<const uint8_t*>(visible.data());
  const auto size = static_cast<int32_t>(visible.size());
  for (int32_t i = 0; i < size;) {
    UChar32 c;
    U8_NEXT(bytes, i, size, c);
    const UChar32 next = i < size ? bytes[i] : ' ';
    if (c == '\n') {
      writer.EndSegment();
    } else if (IsJoiner(c)) {
      // Inside a token.
    } else if (IsBlank(c)) {
      writer.Break();
      if (sentence_ended) writer.EndSentence();
    } else if (IsWordPart(c)) {
      writer.Word(c);
    } else if (IsDigit(c)) {
      writer.Digit();
    } else if (IsApostrophe(c)) {
      writer.Apostrophe();
    } else if (writer.in_number() && IsOneOf(c, ".,:") && IsDigit(next)) {
      // Continues the token.
    } else if (IsSymbol(c) || (writer.in_symbol() && ContinuesSymbol(c)) ||
               (c == '.' && writer.in_word() && IsAsciiLetter(next)) ||
               (c == '-' && writer.between_tokens() &&
                (next == '-' || IsAsciiLetter(next)))) {
      writer.Symbol(c);  // "os.path" and "-rf" also indicate code.
    } else {
      writer.Break();
      if (c >= 0x80 && IsSentenceEnd(c)) writer.EndSentence();
    }
    sentence_ended = IsSentenceEnd(c);
  }
  return writer.Finish();
}

std::string ExtractProse(std::string_view text) {
  std::string prose;
  for (const std::string& segment : SplitSegments(text)) {
    if (!prose.empty()) prose.push_back(' ');
    prose.append(segment);
  }
  return prose;
}

}  // namespace apollo
