#include "model/language/code.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace apollo {
namespace {

// Of one piece each: as it stands in the text, and its word in lower case.
using Raw = std::span<const std::string_view>;
using Words = std::span<const std::string>;

bool IsBlank(char c) { return static_cast<unsigned char>(c) <= ' '; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsLetter(char c) { return IsLower(c) || IsUpper(c); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameCharacter(char c) { return IsLetter(c) || IsDigit(c) || c == '_'; }
bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }

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

enum class Kind {
  kOther,    // Not ASCII: never code.
  kPlain,    // Could be a word.
  kWeak,     // Common in code and in prose: keywords, numbers, signs.
  kBinding,  // An assignment or comparison: code, and so are its neighbours.
  kStrong,   // Seldom in prose.
};

struct Piece {
  std::size_t begin, end;  // In the text.
  Kind kind;
  bool keyword;        // Weak because it is a word of programming languages.
  bool ends_sentence;  // Followed by nothing of the same sentence.
  bool code = false;
};

struct Line {
  std::size_t begin, end;  // In the text.
  std::vector<Piece> pieces;
  bool indented = false;
  bool mostly = false;  // Most of it is code.
  bool code = false;    // All of it is.
};

template <std::size_t kSize>
bool Contains(const std::array<std::string_view, kSize>& words,
              std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string Lower(std::string_view word) {
  std::string lower(word);
  for (char& c : lower) {
    if (IsUpper(c)) c = static_cast<char>(c + ('a' - 'A'));
  }
  return lower;
}

// The word in a piece: "(where" and "else:" -> "where", "else".
std::string_view Trim(std::string_view piece) {
  while (!piece.empty() && !IsNameCharacter(piece.front())) {
    piece.remove_prefix(1);
  }
  while (!piece.empty() && !IsNameCharacter(piece.back())) {
    piece.remove_suffix(1);
  }
  return piece;
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
constexpr std::array<std::string_view, 22> kSqlWords = {
    "all",  "and",   "as",     "asc",   "between", "by",   "count", "desc",
    "from", "group", "having", "in",    "inner",   "into", "is",    "join",
    "left", "like",  "limit",  "order", "values",  "where"};
// After "select ... from": prose goes on with one of these.
constexpr std::array<std::string_view, 12> kArticles = {
    "the", "a",   "an",    "my",    "your",  "this",
    "our", "all", "these", "those", "their", "any"};

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

Kind KindOf(std::string_view piece) {
  if (!std::all_of(piece.begin(), piece.end(), IsAscii)) return Kind::kOther;
  if (IsAddress(piece)) return Kind::kPlain;
  const bool letters = std::any_of(piece.begin(), piece.end(), IsLetter);
  constexpr std::array<std::string_view, 15> kOperators = {
      "=",  "==", "===", "!=", "!==", "+=", "-=", "*=",
      ":=", "=>", "->",  "<-", "&&",  "||", "::"};
  if (Contains(kOperators, piece)) return Kind::kBinding;
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

// "print("Hello world")" and {"name": "Anna Smith"}: what is quoted belongs to
// the code if it is a few words and no question.
void JoinLiterals(std::string_view text, Line* line) {
  constexpr std::size_t kMostWords = 6;
  bool after_code = false;
  std::vector<Piece> joined;
  std::vector<Piece>& pieces = line->pieces;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    Piece piece = pieces[i];
    const bool strong =
        piece.kind == Kind::kStrong || piece.kind == Kind::kBinding;
    const std::string_view word =
        text.substr(piece.begin, piece.end - piece.begin);
    const bool opens =
        std::count(word.begin(), word.end(), '"') % 2 == 1 ||
        (std::count(word.begin(), word.end(), '\'') == 1 &&
         (word[0] == '\'' || word.find("('") != std::string_view::npos ||
          word.find("='") != std::string_view::npos));
    if (opens && (strong || after_code)) {
      const char quote = word.find('"') != std::string_view::npos ? '"' : '\'';
      for (std::size_t j = i + 1; j < pieces.size() && j - i <= kMostWords;
           ++j) {
        const std::string_view next =
            text.substr(pieces[j].begin, pieces[j].end - pieces[j].begin);
        if (pieces[j].kind == Kind::kOther ||
            next.find('?') != std::string_view::npos) {
          break;
        }
        if (next.find(quote) != std::string_view::npos) {
          piece.end = pieces[j].end;
          piece.kind = Kind::kStrong;
          piece.ends_sentence = false;
          i = j;
          break;
        }
      }
    }
    after_code = piece.kind == Kind::kStrong || piece.kind == Kind::kBinding ||
                 piece.keyword;
    joined.push_back(piece);
  }
  pieces = std::move(joined);
}

bool IsCode(const Piece& piece) { return piece.code; }

// Pieces from `begin` up to one that is not ASCII or ends a sentence.
std::size_t SegmentEnd(const std::vector<Piece>& pieces, std::size_t begin) {
  std::size_t end = begin;
  while (end < pieces.size() && pieces[end].kind != Kind::kOther) {
    if (pieces[end++].ends_sentence) break;
  }
  return end;
}

bool IsOneOf(std::string_view word,
             std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// How many of the words belong to a statement that starts with "select".
std::size_t SqlQuery(Raw raw, Words words) {
  constexpr std::size_t kMostColumns = 24;
  std::size_t from = 1;
  while (from < words.size() && from < kMostColumns && words[from] != "from") {
    ++from;
  }
  if (from + 1 >= words.size() || words[from] != "from" || from == 1) return 0;
  if (Contains(kArticles, words[from + 1])) return 0;
  // Columns have commas between them or are one.
  for (std::size_t i = 1; i + 1 < from; ++i) {
    const bool separates =
        raw[i].back() == ',' || raw[i].back() == '(' ||
        raw[i + 1].front() == ',' ||
        IsOneOf(words[i], {"distinct", "as", "top", "all"}) ||
        IsOneOf(words[i + 1], {"as"});
    if (!separates) return 0;
  }
  std::size_t end = from + 2;
  bool expects = raw[from + 1].back() == ',';
  for (; end < words.size(); ++end) {
    const bool keyword = Contains(kSqlWords, words[end]) ||
                         words[end] == "on" || words[end] == "or" ||
                         words[end] == "not";
    const bool sign = words[end].empty() || KindOf(raw[end]) != Kind::kPlain;
    if (!keyword && !sign && !expects) break;
    // A word may follow a keyword, an operator or a comma.
    expects = keyword || words[end].empty() || raw[end].back() == ',' ||
              raw[end].back() == '=';
    if (keyword && IsOneOf(words[end], {"desc", "asc", "null"})) {
      expects = false;
    }
  }
  return end;
}

// How many pieces, from the first of a segment on, a statement takes that
// starts with a word of its own.
std::size_t Statement(Raw raw, Words words, bool starts_line, bool ends_line) {
  const std::size_t size = words.size();
  const std::string& first = words[0];
  const auto word = [&](std::size_t i) -> std::string_view {
    return i < size ? std::string_view(words[i]) : std::string_view();
  };
  if (first.empty()) {
    // A prompt: "$ git status", "> select".
    if (size > 1 && starts_line && IsOneOf(raw[0], {"$", ">", ">>>", "#"})) {
      const std::size_t rest =
          Statement(raw.subspan(1), words.subspan(1), true, ends_line);
      return rest == 0 ? 0 : rest + 1;
    }
    return 0;
  }
  const std::string_view last = raw[size - 1];
  // SQL.
  if (first == "select") return SqlQuery(raw, words);
  if (first == "with" && word(2) == "as" && word(3) == "select") return size;
  if (IsOneOf(first, {"insert", "delete"}) &&
      IsOneOf(word(1), {"into", "from"}) && size > 2 &&
      !Contains(kArticles, words[2])) {
    return size;
  }
  if (IsOneOf(first, {"create", "drop", "alter", "truncate"}) &&
      IsOneOf(word(1), {"table", "index", "view", "database", "schema"}) &&
      size > 2 && !IsOneOf(word(2), {"of", "for", "with", "and", "to", "in"})) {
    return size;
  }
  if (first == "update" && word(2) == "set") return size;
  // Modules.
  if (starts_line && first == "import" &&
      ((size == 4 && words[2] == "as") ||
       (size == 2 && ends_line &&
        (last.back() == ';' || words[1].find('.') != std::string::npos ||
         last == words[1])))) {
    return size;
  }
  if (starts_line && first == "import" && ends_line && size > 2 &&
      raw[1].back() == ',') {
    return size;
  }
  if (first == "from" && word(2) == "import") return size;
  if (first == "using" && word(1) == "namespace") return size;
  // Commands.
  if (IsOneOf(first, {"git", "docker", "kubectl", "npm", "pip", "pip3", "yarn",
                      "brew", "apt", "apt-get", "cargo", "conda", "dnf", "yum",
                      "podman", "systemctl"}) &&
      IsOneOf(word(1),
              {"add",     "apply",  "branch", "build", "checkout", "clone",
               "commit",  "diff",   "exec",   "fetch", "get",      "init",
               "install", "log",    "logs",   "merge", "ps",       "pull",
               "push",    "rebase", "remove", "reset", "restart",  "run",
               "start",   "stash",  "status", "stop",  "test",     "update",
               "upgrade"})) {
    return size;
  }
  if (raw[0] == "sudo" && size > 1) return size;
  if (IsOneOf(raw[0], {"cd", "ls", "chmod", "mkdir", "rm", "curl", "wget",
                       "grep", "cat", "ssh", "tar", "awk", "sed"}) &&
      size > 1 &&
      (IsOneOf(raw[1], {"..", ".", "/", "~"}) || raw[1][0] == '-' ||
       raw[1][0] == '/' || raw[1][0] == '~' || raw[1][0] == '\'' ||
       raw[1].starts_with("http") ||
       raw[1].find('/') != std::string_view::npos ||
       raw[1].find('@') != std::string_view::npos)) {
    return size;
  }
  if (starts_line &&
      IsOneOf(raw[0], {"FROM", "RUN", "CMD", "COPY", "WORKDIR", "ENTRYPOINT",
                       "EXPOSE", "ENV"}) &&
      size > 1 && !IsUpper(raw[1][0])) {
    return size;
  }
  // Output: print "x", echo 'x'.
  if (IsOneOf(first, {"print", "puts", "echo", "printf", "say", "putstrln"}) &&
      size > 1 && size <= 8 && (raw[1][0] == '"' || raw[1][0] == '\'')) {
    return size;
  }
  // Declarations.
  if (IsOneOf(first, {"public", "private", "protected"}) &&
      IsOneOf(word(1), {"static", "class", "void", "int", "final", "string",
                        "interface", "bool", "boolean", "double"})) {
    return size;
  }
  if (first == "class" && size == 2 && last.back() == ':') return size;
  if (IsOneOf(first, {"return", "int",    "float",  "double",  "char",
                      "bool",   "void",   "string", "long",    "unsigned",
                      "auto",   "var",    "let",    "const",   "val",
                      "my",     "throw",  "new",    "delete",  "package",
                      "use",    "import", "break",  "continue"}) &&
      last.back() == ';' && size <= 6 && starts_line) {
    return size;
  }
  // What programs say when they fail.
  if (first == "traceback" && word(1) == "most") return size;
  if (first == "file" && size >= 4 && raw[1][0] == '"' && word(2) == "line") {
    return size;
  }
  if (first == "exception" && word(1) == "in" && word(2) == "thread") {
    return size;
  }
  const std::string_view cause =
      first == "uncaught" && size > 1 ? raw[1] : raw[0];
  const std::string_view name = Trim(cause);
  if (cause.back() == ':' && name.size() > 6 && IsUpper(name[0]) &&
      (name.ends_with("Error") || name.ends_with("Exception")) &&
      name != "Error" && name != "Exception") {
    return size;
  }
  // Assembly: "mov eax, 1".
  if (IsOneOf(first, {"mov", "push", "pop", "add", "sub", "xor", "cmp", "lea",
                      "inc", "dec"}) &&
      word(1).size() == 3 && (words[1][0] == 'e' || words[1][0] == 'r') &&
      IsOneOf(word(1).substr(1),
              {"ax", "bx", "cx", "dx", "si", "di", "sp", "bp"})) {
    return size;
  }
  return 0;
}

void MarkStatements(std::string_view text, Line* line) {
  std::vector<Piece>& pieces = line->pieces;
  for (std::size_t begin = 0; begin < pieces.size();) {
    if (pieces[begin].kind == Kind::kOther) {
      ++begin;
      continue;
    }
    const std::size_t end = SegmentEnd(pieces, begin);
    std::vector<std::string_view> raw;
    std::vector<std::string> words;
    for (std::size_t i = begin; i < end; ++i) {
      raw.push_back(
          text.substr(pieces[i].begin, pieces[i].end - pieces[i].begin));
      words.push_back(Lower(Trim(raw.back())));
    }
    std::size_t first = begin;
    std::size_t count = Statement(raw, words, begin == 0, end == pieces.size());
    // A query may stand in the middle: "why does select x from y fail".
    while (count == 0 && ++first < end) {
      const std::size_t skip = first - begin;
      if (words[skip] == "select") {
        count = SqlQuery(Raw(raw).subspan(skip), Words(words).subspan(skip));
      }
    }
    for (std::size_t i = first; i < first + count; ++i) pieces[i].code = true;
    begin = end;
  }
}

// From the signs to what stands between and before them.
void Spread(std::string_view text, Line* line) {
  constexpr std::size_t kMostBetween = 2;
  std::vector<Piece>& pieces = line->pieces;
  const auto is_word = [](const Piece& piece) {
    return piece.kind == Kind::kPlain || piece.kind == Kind::kWeak;
  };
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].kind == Kind::kStrong) pieces[i].code = true;
    if (pieces[i].kind == Kind::kBinding) {
      pieces[i].code = true;
      if (i > 0 && is_word(pieces[i - 1]) && !pieces[i - 1].ends_sentence) {
        pieces[i - 1].code = true;
      }
      if (i + 1 < pieces.size() && is_word(pieces[i + 1])) {
        pieces[i + 1].code = true;
      }
    }
  }
  // "name { ... }" and {"name": "value"} within a line.
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (text[pieces[i].begin] != '{' && text[pieces[i].end - 1] != '{')
      continue;
    std::size_t close = i + 1;
    while (close < pieces.size() && pieces[close].kind != Kind::kOther &&
           text.substr(pieces[close].begin,
                       pieces[close].end - pieces[close].begin)
                   .find('}') == std::string_view::npos) {
      ++close;
    }
    if (close == pieces.size() || pieces[close].kind == Kind::kOther) {
      i = close - 1;  // Nothing up to there is closed.
      continue;
    }
    for (std::size_t j = i; j <= close; ++j) pieces[j].code = true;
    if (pieces[i].end - pieces[i].begin == 1 && i > 0 &&
        is_word(pieces[i - 1])) {
      pieces[i - 1].code = true;
    }
    i = close;
  }
  // "for i in" before "range(10)".
  for (std::size_t i = pieces.size(); i-- > 1;) {
    if (pieces[i].code && pieces[i - 1].kind == Kind::kWeak &&
        !pieces[i - 1].ends_sentence) {
      pieces[i - 1].code = true;
    }
  }
  // Numbers and signs behind it, a few words between two parts of it.
  std::size_t last = pieces.size();  // The last piece of code; none yet.
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    if (piece.kind == Kind::kOther) {
      last = pieces.size();
      continue;
    }
    if (piece.code) {
      if (last < i && i - last - 1 <= kMostBetween) {
        for (std::size_t j = last + 1; j < i; ++j) pieces[j].code = true;
      }
      last = i;
    } else if (piece.ends_sentence) {
      last = pieces.size();
    } else if (last + 1 == i && piece.kind == Kind::kWeak && !piece.keyword &&
               std::none_of(text.begin() + piece.begin,
                            text.begin() + piece.end, IsLetter)) {
      pieces[i].code = true;
      last = i;
    }
  }
  // A comment behind it.
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    const std::string_view word =
        text.substr(pieces[i].begin, pieces[i].end - pieces[i].begin);
    if (!pieces[i - 1].code || !(word == "#" || word.starts_with("//"))) {
      continue;
    }
    if (text.substr(pieces[i].begin, line->end - pieces[i].begin).find('?') !=
        std::string_view::npos) {
      break;
    }
    for (std::size_t j = i; j < pieces.size(); ++j) {
      pieces[j].code = pieces[j].kind != Kind::kOther;
    }
    break;
  }
}

// A line of which most is code is code, unless words stand at an end of it.
void JudgeLine(Line* line) {
  const std::vector<Piece>& pieces = line->pieces;
  if (pieces.empty()) return;
  for (const Piece& piece : pieces) {
    if (piece.kind == Kind::kOther) return;
    if (piece.ends_sentence && !piece.code) return;
  }
  const auto code = static_cast<std::size_t>(
      std::count_if(pieces.begin(), pieces.end(), IsCode));
  const auto weak = static_cast<std::size_t>(
      std::count_if(pieces.begin(), pieces.end(), [](const Piece& piece) {
        return !piece.code && piece.kind == Kind::kWeak;
      }));
  // Three of five pieces, or with keywords, numbers and signs four of five.
  line->mostly = code * 5 >= pieces.size() * 3 ||
                 (code >= 2 && (code + weak) * 5 >= pieces.size() * 4);
  const auto is_part = [](const Piece& piece) {
    return piece.code || piece.kind == Kind::kWeak;
  };
  line->code =
      line->mostly && is_part(pieces.front()) && is_part(pieces.back());
}

// Beside lines of code: those that are indented, or start or end as code does.
bool CouldBeCode(std::string_view text, const Line& line) {
  if (line.pieces.empty()) return false;
  for (const Piece& piece : line.pieces) {
    if (piece.kind == Kind::kOther) return false;
  }
  const std::string_view all =
      text.substr(line.pieces.front().begin,
                  line.pieces.back().end - line.pieces.front().begin);
  if (all.find('?') != std::string_view::npos) return false;
  if (line.indented || line.pieces.front().code) return true;
  if (all.starts_with("//") || all.starts_with("# ") || all.starts_with("--") ||
      all.starts_with("/*") || all.starts_with("*")) {
    return true;
  }
  const char last = all.back();
  if (last == ';' || last == '{' || last == '}' || last == ')' || last == ']' ||
      (last == ',' && line.pieces.size() <= 3)) {
    return true;
  }
  if (line.pieces.front().keyword) {
    return last == ':' || line.pieces.size() <= 4;
  }
  return false;
}

// Between lines with a "{" at the end and one that starts with "}".
void SpreadToLines(std::string_view text, std::vector<Line>* lines) {
  const auto pass = [&](auto begin, auto end) {
    bool after_code = false;
    for (auto line = begin; line != end; ++line) {
      if (line->pieces.empty()) continue;
      if (!line->code && after_code) line->code = CouldBeCode(text, *line);
      after_code = line->code || line->mostly;
    }
  };
  pass(lines->begin(), lines->end());
  pass(lines->rbegin(), lines->rend());
}

// "name: x" and "name:" as lines of their own, in lower case: settings.
bool IsSetting(std::string_view text, const Line& line) {
  const std::vector<Piece>& pieces = line.pieces;
  if (pieces.empty() || pieces.size() > 3) return false;
  std::size_t key = 0;
  if (text.substr(pieces[0].begin, pieces[0].end - pieces[0].begin) == "-") {
    key = 1;
  }
  if (key >= pieces.size() || pieces.size() > key + 2) return false;
  const std::string_view name =
      text.substr(pieces[key].begin, pieces[key].end - pieces[key].begin);
  if (name.back() != ':' || !IsLower(name[0])) return key == 1;
  return std::all_of(pieces.begin(), pieces.end(), [](const Piece& piece) {
    return piece.kind != Kind::kOther;
  });
}

void MarkSettings(std::string_view text, std::vector<Line>* lines) {
  constexpr std::size_t kFewest = 3;
  for (std::size_t begin = 0; begin < lines->size();) {
    std::size_t end = begin;
    std::size_t keys = 0;
    while (end < lines->size() && IsSetting(text, (*lines)[end])) {
      keys += text.substr((*lines)[end].begin,
                          (*lines)[end].end - (*lines)[end].begin)
                  .find(':') != std::string_view::npos;
      ++end;
    }
    if (keys >= kFewest) {
      for (std::size_t i = begin; i < end; ++i) (*lines)[i].code = true;
    }
    begin = std::max(end, begin + 1);
  }
}

void Blank(std::string* text, std::size_t begin, std::size_t end) {
  std::fill(text->begin() + begin, text->begin() + end, ' ');
}

// Where the tags of a line are; the rest of it is returned with single blanks.
std::string WithoutTags(std::string_view line) {
  std::string rest;
  bool tag = false;
  for (const char c : line) {
    if (c == '<') tag = true;
    if (!tag) rest.push_back(c);
    if (c == '>') {
      tag = false;
      rest.push_back(' ');
    }
  }
  return rest;
}

}  // namespace

void BlankMarkup(std::string* text) {
  constexpr int kMostWords = 4;
  for (std::size_t begin = 0; begin < text->size();) {
    const std::size_t end = std::min(text->find('\n', begin), text->size());
    std::size_t first = begin, last = end;
    while (first < last && IsBlank((*text)[first])) ++first;
    while (first < last && IsBlank((*text)[last - 1])) --last;
    begin = end + 1;
    if (last - first < 3 || (*text)[first] != '<' || (*text)[last - 1] != '>' ||
        !(IsLetter((*text)[first + 1]) || (*text)[first + 1] == '/' ||
          (*text)[first + 1] == '!')) {
      continue;
    }
    const std::string rest =
        WithoutTags(std::string_view(*text).substr(first, last - first));
    int words = 0;
    bool plain = true;
    for (std::size_t i = 0; i < rest.size(); ++i) {
      plain &= IsAscii(rest[i]) && rest[i] != '?';
      words += !IsBlank(rest[i]) && (i == 0 || IsBlank(rest[i - 1]));
    }
    if (plain && words <= kMostWords) Blank(text, first, last);
  }
}

void BlankCode(std::string* text) {
  std::vector<Line> lines;
  const std::string_view view = *text;
  for (std::size_t begin = 0; begin < view.size();) {
    const std::size_t end = std::min(view.find('\n', begin), view.size());
    lines.push_back(Split(view, begin, end));
    begin = end + 1;
  }
  for (Line& line : lines) {
    JoinLiterals(view, &line);
    MarkStatements(view, &line);
    Spread(view, &line);
    JudgeLine(&line);
  }
  MarkSettings(view, &lines);
  SpreadToLines(view, &lines);
  for (const Line& line : lines) {
    for (const Piece& piece : line.pieces) {
      if (line.code || piece.code) Blank(text, piece.begin, piece.end);
    }
  }
}

}  // namespace apollo
