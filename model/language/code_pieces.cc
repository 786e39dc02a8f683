#include "model/language/code_pieces.h"

#include <algorithm>
#include <array>

#include "model/language/code.h"

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

// Functions that are called with a word or a number, as remarks are made.
constexpr std::array<std::string_view, 17> kFunctions = {
    "abs",   "disp",  "eval", "float", "int",    "len",
    "list",  "main",  "mean", "print", "printf", "println",
    "range", "round", "sqrt", "str",   "sum"};
// In brackets these are names of variables or types, not remarks.
constexpr std::array<std::string_view, 16> kArguments = {
    "i",    "j",    "k",   "n",      "x",      "y",    "z",    "args",
    "bool", "char", "int", "double", "string", "self", "void", "float"};
// What a function or method is declared with.
constexpr std::array<std::string_view, 7> kDeclarators = {
    "def", "defun", "fn", "fun", "func", "function", "void"};

template <std::size_t kSize>
bool Contains(const std::array<std::string_view, kSize>& words,
              std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Letters, or digits with signs between and behind them: "39", "1,5mg", "90%".
bool IsRemark(std::string_view inner) {
  if (inner.empty() || !(IsLetter(inner[0]) || IsDigit(inner[0]))) return false;
  for (std::size_t i = 0; i < inner.size(); ++i) {
    const char c = inner[i];
    const bool sign = c == '.' || c == ',' || c == '/' || c == '-' ||
                      c == '+' || c == '%' || c == ':';
    if (!IsLetter(c) && !IsDigit(c) &&
        !(sign && i > 0 && IsDigit(inner[i - 1]))) {
      return false;
    }
  }
  return !Contains(kArguments, inner);
}

bool IsPunctuation(std::string_view end) {
  return std::all_of(end.begin(), end.end(), [](char c) {
    return c == '.' || c == ',' || c == ';' || c == ':' || c == '!' || c == '?';
  });
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

bool IsPlainWord(const Piece& piece, std::string_view text) {
  if (piece.kind != Kind::kPlain) return false;
  const std::string_view word =
      Trim(text.substr(piece.begin, piece.end - piece.begin));
  return word.size() >= 2 && std::all_of(word.begin(), word.end(), [](char c) {
           return IsLetter(c) || c == '-' || c == '\'';
         });
}

Kind KindOf(std::string_view piece) {
  if (!std::all_of(piece.begin(), piece.end(), IsAscii)) return Kind::kOther;
  if (IsAddress(piece)) return Kind::kPlain;
  const bool letters = std::any_of(piece.begin(), piece.end(), IsLetter);
  constexpr std::array<std::string_view, 9> kOperators = {
      "=", "==", "===", "!=", "!==", "+=", "-=", "*=", ":="};
  if (std::find(kOperators.begin(), kOperators.end(), piece) !=
      kOperators.end())
    return Kind::kBinding;
  if (!letters) {
    // "====" is a line that people draw, "^^" a face, ">=" theirs too.
    const bool one_sign = std::all_of(piece.begin(), piece.end(),
                                      [&](char c) { return c == piece[0]; });
    for (const char c : piece) {
      if (c == '{' || c == '}' || (c == '\\' && !one_sign)) {
        return Kind::kStrong;
      }
    }
    if (piece == "();" || piece == "()" || piece == "/*" || piece == "*/" ||
        piece == "];") {
      return Kind::kStrong;
    }
    return Kind::kWeak;
  }
  if (IsWordWithRemark(piece)) return Kind::kWeak;
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
        if (i == 0 && (IsLetter(after) || after == '(') && c == '$') {
          return Kind::kStrong;
        }
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
        if (before == ']') return Kind::kStrong;
        break;
      case '+':  // "i++)", but not "Protein++".
        if (before == '+' && Trim(piece).size() == 1) return Kind::kStrong;
        break;
      case '-':
        if (after == '>' && IsNameCharacter(before)) return Kind::kStrong;
        break;
      case '<':
        if (after == '<') return Kind::kStrong;
        break;
      case '#':
        if (i == 0 && piece.starts_with("#include")) return Kind::kStrong;
        break;
      case '/':
        if (i == 0 && IsLower(after) &&
            piece.find('/', 1) != std::string_view::npos) {
          return Kind::kStrong;  // /usr/bin, but not "3x /day"
        }
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
    // "def dose(weight):"
    if (piece.kind == Kind::kWeak && !line.pieces.empty() &&
        word.find('(') != std::string_view::npos) {
      const Piece& before = line.pieces.back();
      if (Contains(kDeclarators,
                   text.substr(before.begin, before.end - before.begin))) {
        piece.kind = Kind::kStrong;
      }
    }
    line.pieces.push_back(piece);
    i = stop;
  }
  return line;
}

}  // namespace apollo::code

namespace apollo {

bool IsWordWithRemark(std::string_view token) {
  using code::IsLetter;
  constexpr std::size_t kShortest = 3;  // "f(x)" is a call.
  while (!token.empty() && (token.front() == '-' || token.front() == '*' ||
                            token.front() == '(')) {
    token.remove_prefix(1);
  }
  const bool in_braces = !token.empty() && token.front() == '{';
  if (in_braces) token.remove_prefix(1);
  std::size_t word = 0;
  while (word < token.size() && IsLetter(token[word])) ++word;
  if (word == token.size()) return in_braces && word > 0;
  if (word < kShortest) return false;
  if (token[word] == '}' && code::IsPunctuation(token.substr(word + 1))) {
    return true;  // "{Ich habe Fieber}": a place that somebody filled in.
  }
  if (code::IsPunctuation(token.substr(word + 1)) && token[word] == ')') {
    return true;  // "(hoch);"
  }
  // "Fieber[2]" refers to a source.
  const char open = token[word];
  if (open != '(' && open != '[') return false;
  const char close = open == '(' ? ')' : ']';
  const std::size_t end = token.find(close, word);
  std::string_view inner = token.substr(word + 1);
  if (end != std::string_view::npos) {
    inner = token.substr(word + 1, end - word - 1);
    if (!code::IsPunctuation(token.substr(end + 1))) return false;
  } else {
    // "dolor(cabeza, cuello)": goes on behind a blank.
    while (!inner.empty() &&
           code::IsPunctuation(inner.substr(inner.size() - 1))) {
      inner.remove_suffix(1);
    }
  }
  if (open == '[' && !std::all_of(inner.begin(), inner.end(), code::IsDigit)) {
    return false;
  }
  // "Fieber( 39 )"
  const bool goes_on = inner.empty() && end == std::string_view::npos;
  return (goes_on || code::IsRemark(inner)) &&
         !code::Contains(code::kFunctions, token.substr(0, word));
}

}  // namespace apollo
