#include "model/language/code_statements.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "model/language/code_pieces.h"

namespace apollo::code {
namespace {

template <std::size_t kSize>
bool Contains(const std::array<std::string_view, kSize>& words,
              std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

constexpr std::array<std::string_view, 22> kSqlWords = {
    "all",  "and",   "as",     "asc",   "between", "by",   "count", "desc",
    "from", "group", "having", "in",    "inner",   "into", "is",    "join",
    "left", "like",  "limit",  "order", "values",  "where"};
// After "select ... from": prose goes on with one of these.
constexpr std::array<std::string_view, 12> kArticles = {
    "the", "a",   "an",    "my",    "your",  "this",
    "our", "all", "these", "those", "their", "any"};

bool IsOneOf(std::string_view word,
             std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

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

}  // namespace apollo::code
