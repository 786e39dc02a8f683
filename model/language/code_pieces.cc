#include "model/language/code_pieces.h"

#include <algorithm>
#include <array>

namespace apollo::code {
namespace {

// The first byte of a character of a script that is written without blanks, or
// of its punctuation: U+0800 and above, but for Latin letters (U+1E00 to
// U+1EFF) and general punctuation (U+2000 to U+207F).
bool StartsUnspaced(std::string_view text, std::size_t i) {
  const auto lead = static_cast<unsigned char>(text[i]);
  if (lead < 0xE0) return false;
  const auto next =
      i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
  if (lead == 0xE1 && next >= 0xB8 && next <= 0xBB) return false;
  return !(lead == 0xE2 && next <= 0x81);
}

// Of the common programming languages and SQL.
constexpr std::array<std::string_view, 96> kKeywords = {
    "and",     "as",      "async",     "auto",       "await",    "begin",
    "bool",    "boolean", "break",     "by",         "case",     "catch",
    "char",    "class",   "const",     "continue",   "def",      "default",
    "defun",   "del",     "desc",      "do",         "done",     "double",
    "echo",    "elif",    "else",      "elseif",     "elsif",    "end",
    "endif",   "enum",    "esac",      "except",     "export",   "extends",
    "false",   "fi",      "final",     "finally",    "float",    "fn",
    "for",     "foreach", "from",      "func",       "function", "group",
    "having",  "if",      "impl",      "implements", "import",   "in",
    "include", "insert",  "int",       "interface",  "into",     "is",
    "join",    "lambda",  "let",       "limit",      "long",     "loop",
    "module",  "mut",     "namespace", "new",        "nil",      "none",
    "not",     "null",    "or",        "order",      "package",  "print",
    "printf",  "private", "pub",       "public",     "puts",     "return",
    "select",  "set",     "static",    "std",        "string",   "struct",
    "sudo",    "switch",  "then",      "true",       "var",      "void",
};

bool IsKeyword(std::string_view word) {
  static_assert(std::is_sorted(kKeywords.begin(), kKeywords.end()));
  return std::binary_search(kKeywords.begin(), kKeywords.end(), word);
}

// "medicine(s)", "paciente(s)": people leave the number open.
bool IsOpenEnding(std::string_view piece, std::size_t bracket) {
  const std::size_t close = piece.find(')', bracket);
  if (close == std::string_view::npos || close - bracket > 3) return false;
  for (std::size_t i = bracket + 1; i < close; ++i) {
    if (!IsLower(piece[i])) return false;
  }
  // "f(x)" and "print(i)" are calls.
  const std::string_view ending =
      piece.substr(bracket + 1, close - bracket - 1);
  return bracket >= 3 && ending != "i" && ending != "x" && ending != "n" &&
         ending != "y" && close + 2 >= piece.size();
}

bool IsAddress(std::string_view piece) {
  return piece.starts_with("http:") || piece.starts_with("https:") ||
         piece.starts_with("www.") ||
         (piece.find('@', 1) != std::string_view::npos &&
          piece.find('.') != std::string_view::npos);
}

}  // namespace

std::string Lower(std::string_view word) {
  std::string lower(word);
  for (char& c : lower) {
    if (IsUpper(c)) c = static_cast<char>(c + ('a' - 'A'));
  }
  return lower;
}

std::string_view Trim(std::string_view piece) {
  while (!piece.empty() && !IsNameCharacter(piece.front())) {
    piece.remove_prefix(1);
  }
  while (!piece.empty() && !IsNameCharacter(piece.back())) {
    piece.remove_suffix(1);
  }
  return piece;
}

Kind KindOf(std::string_view piece) {
  if (!std::all_of(piece.begin(), piece.end(), IsAscii)) return Kind::kOther;
  if (IsAddress(piece)) return Kind::kPlain;
  const bool letters = std::any_of(piece.begin(), piece.end(), IsLetter);
  constexpr std::array<std::string_view, 15> kOperators = {
      "=",  "==", "===", "!=", "!==", "+=", "-=", "*=",
      ":=", "=>", "->",  "<-", "&&",  "||", "::"};
  if (std::find(kOperators.begin(), kOperators.end(), piece) !=
      kOperators.end())
    return Kind::kBinding;
  if (!letters) {
    for (const char c : piece) {
      if (c == '{' || c == '}' || c == '=' || c == '^' || c == '\\') {
        return Kind::kStrong;
      }
    }
    if (piece == "();" || piece == ");" || piece == "()" || piece == "//" ||
        piece == "/*" || piece == "*/" || piece == "];" || piece == "))") {
      return Kind::kStrong;
    }
    return Kind::kWeak;
  }
  for (std::size_t i = 0; i < piece.size(); ++i) {
    const char c = piece[i];
    const char before = i > 0 ? piece[i - 1] : ' ';
    const char after = i + 1 < piece.size() ? piece[i + 1] : ' ';
    switch (c) {
      case '{':
      case '}':
      case '=':
      case '^':
        return Kind::kStrong;
      case '\\':
        if (IsLetter(after)) return Kind::kStrong;
        break;
      case '_':
        if (IsNameCharacter(before) && before != '_' &&
            IsNameCharacter(after) && after != '_') {
          return Kind::kStrong;
        }
        if (before == '_' && IsLetter(after)) return Kind::kStrong;
        break;
      case '$':
      case '@':
        if (i == 0 && IsLetter(after) && c == '$') return Kind::kStrong;
        break;
      case '(':
        if (IsNameCharacter(before) && !IsOpenEnding(piece, i)) {
          return Kind::kStrong;
        }
        if (after == '*' || after == '+') return Kind::kStrong;
        break;
      case '[':
        if (IsNameCharacter(before) || after == '"' || after == '\'') {
          return Kind::kStrong;
        }
        break;
      case ':':
        if (after == ':') return Kind::kStrong;
        break;
      case ';':
        if (before == ')' || before == ']') return Kind::kStrong;
        break;
      case ')':
        if (before == ')' && after != ' ') return Kind::kStrong;
        break;
      case '+':
        if (before == '+') return Kind::kStrong;  // i++
        break;
      case '-':
        if (i == 0 && after == '-' && piece.size() > 3 && IsLetter(piece[2])) {
          return Kind::kStrong;  // --option
        }
        if (after == '>' && IsNameCharacter(before)) return Kind::kStrong;
        break;
      case '<':
        if (after == '<') return Kind::kStrong;
        break;
      case '#':
        if (i == 0 && piece.starts_with("#include")) return Kind::kStrong;
        break;
      case '/':
        if (i == 0 && IsLower(after)) return Kind::kStrong;  // /usr/bin
        break;
      default:
        break;
    }
  }
  // "-l", "numpy.array", "x;"
  if (piece[0] == '-' && piece.size() <= 4) return Kind::kWeak;
  const std::string_view word = Trim(piece);
  const std::size_t dot = word.find('.');
  if (dot != std::string_view::npos && dot >= 2 && dot + 2 < word.size() &&
      IsLower(word[dot + 1])) {
    return Kind::kWeak;
  }
  if (word.size() == 1 || piece.back() == ';') return Kind::kWeak;
  return Kind::kPlain;
}

Line Split(std::string_view text, std::size_t begin, std::size_t end) {
  Line line{begin, end, {}};
  line.indented =
      end - begin > 2 &&
      (text[begin] == '\t' || (text[begin] == ' ' && text[begin + 1] == ' '));
  for (std::size_t i = begin; i < end;) {
    if (IsBlank(text[i])) {
      ++i;
      continue;
    }
    std::size_t stop = i;
    if (IsAscii(text[i])) {
      while (stop < end && !IsBlank(text[stop]) &&
             !StartsUnspaced(text, stop)) {
        ++stop;
      }
    }
    if (stop == i) {  // Starts with a character that is not ASCII.
      bool unspaced = StartsUnspaced(text, i);
      while (stop < end && !IsBlank(text[stop]) &&
             !(unspaced && IsAscii(text[stop]))) {
        ++stop;
        if (stop < end && StartsUnspaced(text, stop)) unspaced = true;
      }
    }
    const std::string_view word = text.substr(i, stop - i);
    Piece piece{i, stop, KindOf(word), false, false};
    if ((piece.kind == Kind::kPlain || piece.kind == Kind::kWeak) &&
        IsKeyword(Lower(Trim(word)))) {
      piece.kind = Kind::kWeak;
      piece.keyword = true;
    }
    const char last = word.back();
    piece.ends_sentence = piece.kind != Kind::kStrong &&
                          piece.kind != Kind::kBinding &&
                          (last == '?' || last == '!' || last == '.');
    line.pieces.push_back(piece);
    i = stop;
  }
  return line;
}

}  // namespace apollo::code
