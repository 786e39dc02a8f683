#include "model/language/prose.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "model/language/code.h"
#include "model/language/international.h"

namespace apollo {
namespace {

// One run of non-blank characters, as code points.
using Token = std::vector<UChar32>;

bool IsMark(UChar32 c) {
  const int8_t type = u_charType(c);
  return type == U_NON_SPACING_MARK || type == U_COMBINING_SPACING_MARK ||
         type == U_ENCLOSING_MARK;
}

// Marks carry vowels in many scripts. Apostrophes are part of words (gn, ha,
// fr).
bool IsWordPart(UChar32 c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return u_isalpha(c) || IsMark(c);
}
UChar32 ToLower(UChar32 c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
  return u_tolower(c);
}
bool IsDigit(UChar32 c) {
  return c < 0x80 ? c >= '0' && c <= '9' : static_cast<bool>(u_isdigit(c));
}
bool IsApostrophe(UChar32 c) { return c == '\'' || c == 0x2019 || c == 0x02BC; }

// The stems that the WHO gives to drugs by what they do, and a few more endings
// of their international names.
constexpr std::array<std::string_view, 44> kDrugStems = {
    "afil",     "arin",      "astine",    "azepam",  "azole",    "azolam",
    "barbital", "bactam",    "caine",     "cillin",  "conazole", "coxib",
    "cycline",  "dipine",    "dronate",   "fenac",   "floxacin", "formin",
    "gliptin",  "gliflozin", "ibuprofen", "lukast",  "mycin",    "olol",
    "oxetine",  "parib",     "penem",     "pramine", "prazole",  "profen",
    "pril",     "ridone",    "sartan",    "semide",  "setron",   "statin",
    "thiazide", "tidine",    "tinib",     "triptan", "trexate",  "tadine",
    "amide",    "zumab"};

constexpr std::array<std::string_view, 9> kUnits = {
    "mg", "kg", "ml", "dl", "mcg", "mmhg", "mmol", "cm", "mm"};

// Units, and names built like those of drugs: the same in every language.
bool IsInternational(const Token& word) {
  if (word.size() > 32 || (word.size() > 4 && word.size() < 8)) return false;
  std::string ascii;
  for (UChar32 c : word) {
    if (c >= 0x80) return false;
    ascii.push_back(static_cast<char>(ToLower(c)));
  }
  if (word.size() < 5) {
    return std::find(kUnits.begin(), kUnits.end(), ascii) != kUnits.end();
  }
  return std::any_of(
      kDrugStems.begin(), kDrugStems.end(),
      [&ascii](std::string_view stem) { return ascii.ends_with(stem); });
}

bool StartsWith(const Token& token, std::string_view prefix) {
  if (token.size() < prefix.size()) return false;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (ToLower(token[i]) != static_cast<UChar32>(prefix[i])) return false;
  }
  return true;
}

bool IsUrl(const Token& token) {
  return StartsWith(token, "http:") || StartsWith(token, "https:") ||
         StartsWith(token, "www.");
}

// URLs, addresses, paths, identifiers, calls, assignments: an ASCII token that
// has a mark of code between its letters. Tokens in other scripts are never
// code: without blanks a token may be a whole sentence.
bool LooksLikeCode(const Token& token) {
  if (IsUrl(token)) return true;
  bool lower_before = false;
  int inner_capitals = 0;
  bool any_lower = false;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const UChar32 c = token[i];
    if (c >= 0x80) return false;
    const bool inside = i > 0 && i + 1 < token.size();
    switch (c) {
      case '_':
      case '\\':
      case '{':
      case '}':
      case '=':
      case '<':
      case '>':
      case '|':
      case '^':
      case '~':
      case '$':
      case '@':
      case '`':
        return true;
      case ';':
        if (i + 1 == token.size() && i > 0 && token[i - 1] == ')') return true;
        break;
      case '(':
        if (inside && u_isalpha(token[i - 1])) return true;  // f(x)
        break;
      case '[':
        if (inside && u_isalpha(token[i - 1])) return true;
        break;
      case '.':
      case '/':
      case ':':
      case '#':
      case '&':
        // "example.org", "a/b/c"; but not "e.g." or "and/or.": two letters
        // each.
        if (i >= 2 && i + 2 < token.size() && u_isalpha(token[i - 1]) &&
            u_isalpha(token[i + 1]) && c != '/' && c != ':') {
          return true;
        }
        if (i == 0 && (c == '/' || c == '#') && token.size() > 1) return true;
        break;
      default:
        break;
    }
    if (u_isupper(c) && lower_before) ++inner_capitals;  // camelCase
    lower_before = u_islower(c);
    any_lower |= lower_before;
  }
  return any_lower && inner_capitals >= 1 && token.size() > 4;
}

bool IsAsciiWord(const Token& word) {
  return std::all_of(word.begin(), word.end(),
                     [](UChar32 c) { return c < 0x80; });
}

void Append(UChar32 c, std::string* out) {
  uint8_t bytes[U8_MAX_LENGTH];
  int32_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, c);
  out->append(reinterpret_cast<const char*>(bytes), size);
}

// What is being extracted.
enum class Kind {
  kProse,         // What the classifier is trained on.
  kQuestion,      // What people ask; abbreviations keep their capitals.
  kLoudQuestion,  // The same in capitals, in which nothing is one.
};

bool IsInCapitals(const Token& word, std::size_t least, std::size_t most) {
  return word.size() >= least && word.size() <= most &&
         std::all_of(word.begin(), word.end(),
                     [](UChar32 c) { return c >= 'A' && c <= 'Z'; });
}

void AppendWord(const Token& word, Kind kind, std::string* out) {
  if (word.empty() || IsInternational(word)) return;
  if (!out->empty()) out->push_back(' ');
  const bool keep = kind == Kind::kQuestion && IsInCapitals(word, 2, 4);
  for (UChar32 c : word) Append(keep ? c : ToLower(c), out);
}

// Whether a token is left out of a question: LooksLikeCode, but in doubt no.
bool IsCodeInQuestion(const Token& token) {
  if (!LooksLikeCode(token)) return false;
  std::string ascii;
  for (UChar32 c : token) {
    if (c >= 0x80) return false;
    ascii.push_back(static_cast<char>(c));
  }
  return !IsWordWithRemark(ascii);
}

// Splits a token into words at everything that is not part of one. An ASCII
// piece with digits in it ("20mg", "B12", "COVID19") is left out; in other
// scripts only the digits are.
void AppendToken(const Token& token, Kind kind, std::string* out) {
  if (token.empty()) return;
  if (kind == Kind::kProse ? LooksLikeCode(token) : IsCodeInQuestion(token)) {
    return;
  }
  std::size_t begin = 0;
  if (kind != Kind::kProse && IsUrl(token)) {
    // What is written behind a URL without a blank.
    while (begin < token.size() && token[begin] < 0x80) ++begin;
  }
  Token word;
  bool digits = false;
  const auto flush = [&] {
    while (!word.empty() && IsApostrophe(word.back())) word.pop_back();
    if (!(digits && IsAsciiWord(word))) AppendWord(word, kind, out);
    word.clear();
    digits = false;
  };
  for (std::size_t i = begin; i < token.size(); ++i) {
    const UChar32 c = token[i];
    if (IsDigit(c)) {
      if (!word.empty() && !IsAsciiWord(word)) flush();
      digits = true;
    } else if (IsWordPart(c)) {
      if (digits && c >= 0x80) flush();
      word.push_back(c);
    } else if (IsApostrophe(c)) {
      if (!word.empty()) word.push_back('\'');
    } else if (c == 0x200C || c == 0x200D || c == 0xAD) {
      // Joiners and soft hyphens stand inside words and are not letters.
    } else {
      flush();
    }
  }
  flush();
}

// Of long text the two ends, joined by a line break. A cut character counts as
// invalid and so as a space.
std::string Ends(std::string_view text) {
  if (text.size() <= kMaxProseBytes) return std::string(text);
  constexpr std::size_t half = kMaxProseBytes / 2;
  std::string ends(text.substr(0, half));
  ends.push_back('\n');
  ends.append(text.substr(text.size() - half));
  return ends;
}

// Blanks out ``` blocks (to the end if not closed) and `code` within one line.
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

// Blanks out <tag ...> : a letter or / right after <, and > on the same line.
void BlankTags(std::string* text) {
  std::size_t open = 0;
  while ((open = text->find('<', open)) != std::string::npos) {
    const std::size_t next = open + 1;
    const std::size_t close = text->find_first_of("<>\n", next);
    if (close == std::string::npos) return;
    const char c = (*text)[next];
    if ((*text)[close] == '>' &&
        (c == '/' || c == '!' || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z'))) {
      std::fill(text->begin() + open, text->begin() + close + 1, ' ');
    }
    open = next;
  }
}

// The words of a text of which everything that is visible counts.
std::string Words(std::string_view visible, Kind kind) {
  std::string prose;
  prose.reserve(visible.size());
  Token token;
  const auto* bytes = reinterpret_cast<const uint8_t*>(visible.data());
  const auto size = static_cast<int32_t>(visible.size());
  for (int32_t i = 0; i < size;) {
    UChar32 c;
    U8_NEXT(bytes, i, size, c);
    if (c <= ' ' || c == 0x7F || c == 0x200B ||
        (c >= 0x80 && (u_isUWhiteSpace(c) || u_iscntrl(c)))) {
      AppendToken(token, kind, &prose);
      token.clear();
    } else {
      token.push_back(c);
    }
  }
  AppendToken(token, kind, &prose);
  return prose;
}

// Whether a word that is too long for an abbreviation is in capitals.
bool IsLoud(std::string_view text) {
  constexpr int kTooLong = 6;
  int capitals = 0;
  for (const char c : text) {
    capitals = c >= 'A' && c <= 'Z' ? capitals + 1 : 0;
    if (capitals >= kTooLong) return true;
  }
  return false;
}

}  // namespace

std::string ExtractProse(std::string_view text) {
  std::string visible = Ends(text);
  BlankBackticks(&visible);
  BlankTags(&visible);
  return Words(visible, Kind::kProse);
}

std::string ExtractQuestion(std::string_view text) {
  std::string visible = Ends(text);
  BlankBackticks(&visible);
  BlankMarkup(&visible);
  BlankTags(&visible);
  BlankCode(&visible);
  BlankNumberedNames(&visible);
  const Kind kind = IsLoud(visible) ? Kind::kLoudQuestion : Kind::kQuestion;
  return DropDrugNames(Words(visible, kind));
}

}  // namespace apollo
