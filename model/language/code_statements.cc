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

bool Has(Words words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// "-la"
bool IsOption(std::string_view piece) {
  return piece.size() > 1 && piece.size() <= 4 && piece[0] == '-' &&
         IsLetter(piece[1]);
}

// "./run", "../x", "~/x", "/usr/bin", "https://x.org".
bool IsPath(std::string_view piece) {
  if (piece.starts_with("./") || piece.starts_with("../") ||
      piece.starts_with("~/") || piece.starts_with("http")) {
    return true;
  }
  return piece.size() > 2 && piece[0] == '/' && IsLower(piece[1]) &&
         piece.find('/', 1) != std::string_view::npos;
}

bool IsManager(std::string_view word) {
  return IsOneOf(word, {"git", "docker", "kubectl", "npm", "pip", "pip3",
                        "yarn", "brew", "apt", "apt-get", "cargo", "conda",
                        "dnf", "yum", "podman", "systemctl"});
}

bool IsTool(std::string_view word) {
  return IsOneOf(word, {"cd", "ls", "chmod", "mkdir", "rm", "curl", "wget",
                        "grep", "ssh", "tar", "awk"});
}

// How many pieces of a line are a command of a shell, of which `known`
// certainly are: all, or if these would be a sentence the known ones.
std::size_t CommandSize(Raw raw, std::size_t known) {
  constexpr std::size_t kLongest = 6;
  return raw.size() <= kLongest ? raw.size() : known;
}

std::size_t Command(Raw raw) {
  const std::size_t size = raw.size();
  if (size < 2) return 0;
  if (raw[0] == "sudo") {
    if (IsManager(raw[1]) || IsTool(raw[1]) || IsPath(raw[1])) {
      return CommandSize(raw, 2);
    }
    return 0;
  }
  if (IsManager(raw[0]) &&
      IsOneOf(raw[1],
              {"add",     "apply",  "branch", "build", "checkout", "clone",
               "commit",  "diff",   "exec",   "fetch", "get",      "init",
               "install", "log",    "logs",   "merge", "ps",       "pull",
               "push",    "rebase", "remove", "reset", "restart",  "run",
               "start",   "stash",  "status", "stop",  "test",     "update",
               "upgrade"})) {
    return CommandSize(raw, 2);
  }
  if (IsTool(raw[0]) && (IsOption(raw[1]) || IsPath(raw[1]))) {
    return CommandSize(raw, 2);
  }
  if (IsOneOf(raw[0], {"cd", "ls"}) && IsOneOf(raw[1], {"..", "/", "~"})) {
    return CommandSize(raw, 2);
  }
  // Words of English and Spanish.
  if (IsOneOf(raw[0], {"cat", "sed"}) && IsPath(raw[1])) return 2;
  return 0;
}

// Of a Dockerfile.
std::size_t BuildStep(Raw raw) {
  if (raw.size() < 2) return 0;
  const std::string_view first = raw[1];
  if (raw[0] == "FROM") {
    const std::size_t sign = first.find_first_of(":/");
    return raw.size() == 2 && IsLower(first[0]) &&
                   sign != std::string_view::npos && sign + 1 < first.size()
               ? 2
               : 0;
  }
  if (raw[0] == "RUN") {
    const std::size_t rest = Command(raw.subspan(1));
    return rest == 0 ? 0 : rest + 1;
  }
  if (IsOneOf(raw[0], {"CMD", "ENTRYPOINT"}) && first.starts_with("[\"")) {
    return raw.size();
  }
  if (IsOneOf(raw[0], {"COPY", "WORKDIR"}) && IsPath(first)) {
    return CommandSize(raw, 2);
  }
  return 0;
}

// The pieces up to the end of the literal that begins with the second.
std::size_t LiteralEnd(Raw raw) {
  constexpr std::size_t kLongest = 8;
  const char quote = raw[1][0];
  for (std::size_t i = 1; i < raw.size() && i < kLongest; ++i) {
    if (raw[i].find(quote, i == 1 ? 1 : 0) != std::string_view::npos) {
      return i + 1;
    }
  }
  return 0;
}

// A call, an assignment, a sigil: "new rash (red);" has none.
bool HasProgramSign(Raw raw) {
  return std::any_of(raw.begin(), raw.end(), [](std::string_view piece) {
    const Kind kind = KindOf(piece);
    return kind == Kind::kStrong || kind == Kind::kBinding;
  });
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

namespace {

// A statement without a prompt before it.
std::size_t AfterPrompts(Raw raw, Words words, bool starts_line,
                         bool ends_line) {
  const std::size_t size = words.size();
  const std::string& first = words[0];
  const auto word = [&](std::size_t i) -> std::string_view {
    return i < size ? std::string_view(words[i]) : std::string_view();
  };
  if (first.empty()) return 0;
  const std::string_view last = raw[size - 1];
  // SQL.
  if (first == "select") return SqlQuery(raw, words);
  if (first == "with" && word(2) == "as" && word(3) == "select") return size;
  if (IsOneOf(first, {"insert", "delete"}) &&
      IsOneOf(word(1), {"into", "from"}) && size > 2 &&
      ((size == 3 && last.back() == ';') ||
       Has(words, first == "insert" ? "values" : "where"))) {
    return size;
  }
  if (IsOneOf(first, {"create", "drop", "alter", "truncate"}) &&
      IsOneOf(word(1), {"table", "index", "view", "database", "schema"}) &&
      size > 2 && last.back() == ';' &&
      !IsOneOf(word(2), {"of", "for", "with", "and", "to", "in"})) {
    return size;
  }
  if (first == "update" && word(2) == "set" && HasProgramSign(raw)) {
    return size;
  }
  // Modules.
  if (starts_line && raw[0] == "import" &&
      ((size == 4 && words[2] == "as" && words[3].size() <= 4) ||
       (size == 2 && ends_line &&
        (last.back() == ';' || words[1].find('.') != std::string::npos ||
         last == words[1])))) {
    return size;
  }
  if (starts_line && raw[0] == "import" && ends_line && size > 2 &&
      std::all_of(raw.begin() + 1, raw.end() - 1,
                  [](std::string_view name) { return name.back() == ','; })) {
    return size;
  }
  if (raw[0] == "from" && word(2) == "import" &&
      (size == 4 || (size > 4 && raw[3].back() == ','))) {
    return size;
  }
  if (first == "using" && word(1) == "namespace") return size;
  if (starts_line) {
    if (const std::size_t command = Command(raw)) return command;
    if (const std::size_t step = BuildStep(raw)) return step;
  }
  // Output: print "x", echo 'x'.
  if (IsOneOf(raw[0], {"print", "puts", "echo", "printf"}) && size > 1 &&
      (raw[1][0] == '"' || raw[1][0] == '\'')) {
    return LiteralEnd(raw);
  }
  // Declarations.
  if (IsOneOf(raw[0], {"public", "private", "protected"}) &&
      IsOneOf(word(1), {"static", "class", "void", "int", "final", "string",
                        "interface", "bool", "boolean", "double"}) &&
      (last.back() == '{' || HasProgramSign(raw))) {
    return size;
  }
  if (raw[0] == "class" && size == 2 && starts_line && ends_line &&
      last.back() == ':') {
    return size;
  }
  if (starts_line && last.back() == ';') {
    if (IsOneOf(raw[0], {"float", "double", "string", "long", "auto", "var",
                         "let", "val", "my", "throw", "new", "int", "char",
                         "bool", "void", "unsigned", "const"}) &&
        size <= 6 && HasProgramSign(raw)) {
      return size;
    }
    if (IsOneOf(raw[0], {"int", "bool", "unsigned"}) && size == 2) return size;
    if (raw[0] == "return" && size == 2 &&
        std::none_of(last.begin(), last.end(), IsLetter)) {
      return size;
    }
  }
  // What programs say when they fail.
  if (raw[0] == "Traceback" && word(1) == "most") return size;
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

}  // namespace

std::size_t Statement(Raw raw, Words words, bool starts_line, bool ends_line) {
  // Prompts: "$ git status", "> select".
  constexpr std::size_t kMostPrompts = 2;
  std::size_t prompts = 0;
  while (starts_line && prompts < kMostPrompts && raw.size() > prompts + 1 &&
         IsOneOf(raw[prompts], {"$", ">", ">>>", "#"})) {
    ++prompts;
  }
  const std::size_t count = AfterPrompts(
      raw.subspan(prompts), words.subspan(prompts), starts_line, ends_line);
  return count == 0 ? 0 : count + prompts;
}

}  // namespace apollo::code
