#include "model/language/families.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo {
namespace {

constexpr char kPaper[] =
#include "model/language/default_families.inc"
    ;

constexpr std::size_t kMaxBytes = 64 * 1024;
constexpr int kMaxExperts = 1024;
constexpr std::size_t kMaxCode = 16;
constexpr std::size_t kMaxName = 64;

bool IsNameCharacter(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
}

bool IsName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxName &&
         absl::ascii_islower(name.front()) &&
         std::all_of(name.begin(), name.end(), IsNameCharacter);
}

// ISO 639-1 or 639-3, with optional subtags ("zh-hant").
bool IsCode(absl::string_view code) {
  if (code.size() < 2 || code.size() > kMaxCode) return false;
  if (code.front() == '-' || code.back() == '-') return false;
  return std::all_of(code.begin(), code.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
  });
}

// Returns a short, printable piece of the file for an error message.
std::string Quote(absl::string_view piece) {
  std::string quoted = absl::StrCat("\"", piece.substr(0, 32),
                                    piece.size() > 32 ? "...\"" : "\"");
  for (char& c : quoted) {
    if (!absl::ascii_isprint(c)) c = '?';
  }
  return quoted;
}

absl::Status ErrorAt(std::string_view source, int line,
                     absl::string_view message) {
  return absl::InvalidArgumentError(
      absl::StrCat(ToAbsl(source), ":", line, ": ", message));
}

struct Line {
  int number;
  // Without comment and surrounding white space; not empty.
  absl::string_view text;
};

std::vector<Line> SplitLines(std::string_view text) {
  std::vector<Line> lines;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(ToAbsl(text), '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (!line.empty()) lines.push_back({number, line});
  }
  return lines;
}

// Parses "<expert> <name>: <language> ...".
absl::StatusOr<Family> ParseLine(const Line& line, std::string_view source) {
  const std::size_t colon = line.text.find(':');
  if (colon == absl::string_view::npos) {
    return ErrorAt(source, line.number,
                   absl::StrCat("no colon in ", Quote(line.text),
                                "; want \"<expert> <name>: <language> ...\""));
  }
  const std::vector<absl::string_view> head = absl::StrSplit(
      line.text.substr(0, colon), absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  if (head.size() != 2) {
    return ErrorAt(source, line.number,
                   absl::StrCat("want an expert and a name before the colon, "
                                "found ",
                                head.size(), " words"));
  }
  Family family;
  if (!absl::SimpleAtoi(head[0], &family.expert) || family.expert < 0 ||
      family.expert >= kMaxExperts) {
    return ErrorAt(
        source, line.number,
        absl::StrCat("expert ", Quote(head[0]),
                     " is not a whole number from 0 to ", kMaxExperts - 1));
  }
  if (!IsName(head[1])) {
    return ErrorAt(source, line.number,
                   absl::StrCat("family name ", Quote(head[1]),
                                " is not made of a-z, 0-9 and _, starting with "
                                "a letter, at most ",
                                kMaxName, " long"));
  }
  family.name = std::string(head[1]);
  for (absl::string_view code :
       absl::StrSplit(line.text.substr(colon + 1), absl::ByAnyChar(" \t\r"),
                      absl::SkipEmpty())) {
    if (!IsCode(code)) {
      return ErrorAt(
          source, line.number,
          absl::StrCat("language code ", Quote(code), " is not 2 to ", kMaxCode,
                       " of a-z, 0-9 and inner -"));
    }
    family.languages.emplace_back(code);
  }
  if (family.languages.empty()) {
    return ErrorAt(source, line.number,
                   absl::StrCat("expert ", family.expert, " (", family.name,
                                ") has no language"));
  }
  return family;
}

}  // namespace

const FamilyTable& FamilyTable::Paper() {
  static const FamilyTable* const table = [] {
    absl::StatusOr<FamilyTable> parsed = Parse(kPaper, "default_families.txt");
    APOLLO_CHECK(parsed.ok());
    return new FamilyTable(*std::move(parsed));
  }();
  return *table;
}

absl::StatusOr<FamilyTable> FamilyTable::Load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return absl::NotFoundError(
        absl::StrCat(path, ": cannot open the families file"));
  }
  // One byte more than allowed, so that Parse detects the excess.
  std::string text(kMaxBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.gcount() == 0 && !file.eof())) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": cannot read the families file"));
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return Parse(text, path);
}

absl::StatusOr<FamilyTable> FamilyTable::ForModel(const std::string& directory,
                                                  const std::string& file,
                                                  int num_experts) {
  std::string path = file;
  std::error_code ignored;
  if (path.empty() &&
      std::filesystem::exists(directory + "/families.txt", ignored)) {
    path = directory + "/families.txt";
  }
  FamilyTable table = Paper();
  if (!path.empty()) {
    ASSIGN_OR_RETURN(table, Load(path));
  }
  if (num_experts > 0) RETURN_IF_ERROR(table.Validate(num_experts));
  return table;
}

absl::StatusOr<FamilyTable> FamilyTable::Parse(std::string_view text,
                                               std::string_view source) {
  if (text.size() > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(source), ": more than ", kMaxBytes,
                     " bytes; a families file is a line per family"));
  }
  const std::vector<Line> lines = SplitLines(text);
  if (lines.empty()) {
    return ErrorAt(source, 1,
                   "no family; want \"<expert> <name>: <language> ...\"");
  }

  std::map<int, std::pair<Family, int>> by_expert;  // With the line number.
  std::map<std::string, int> line_of_language;
  std::map<std::string, int> line_of_name;
  for (const Line& line : lines) {
    ASSIGN_OR_RETURN(Family family, ParseLine(line, source));
    if (const auto it = by_expert.find(family.expert); it != by_expert.end()) {
      return ErrorAt(
          source, line.number,
          absl::StrCat("expert ", family.expert,
                       " already has a family on line ", it->second.second));
    }
    if (const auto [it, added] = line_of_name.emplace(family.name, line.number);
        !added) {
      return ErrorAt(source, line.number,
                     absl::StrCat("family name ", family.name,
                                  " already used on line ", it->second));
    }
    for (const std::string& language : family.languages) {
      if (const auto [it, added] =
              line_of_language.emplace(language, line.number);
          !added) {
        return ErrorAt(source, line.number,
                       absl::StrCat("language ", language,
                                    " already given on line ", it->second));
      }
    }
    by_expert.emplace(family.expert,
                      std::make_pair(std::move(family), line.number));
  }

  FamilyTable table;
  table.source_ = std::string(source);
  for (auto& [expert, entry] : by_expert) {
    const int expected = static_cast<int>(table.families_.size());
    if (expert != expected) {
      return ErrorAt(
          source, entry.second,
          absl::StrCat("there is an expert ", expert, ", but expert ", expected,
                       " has no language"));
    }
    for (const std::string& language : entry.first.languages) {
      table.expert_of_.emplace(language, expert);
    }
    table.families_.push_back(std::move(entry.first));
    table.lines_.push_back(entry.second);
  }
  return table;
}

absl::Status FamilyTable::Validate(int num_experts) const {
  for (std::size_t i = 0; i < families_.size(); ++i) {
    if (families_[i].expert >= num_experts) {
      return ErrorAt(
          source_, lines_[i],
          absl::StrCat("expert ", families_[i].expert, " (", families_[i].name,
                       ") does not exist: the checkpoint has ", num_experts,
                       " experts, numbered from 0"));
    }
  }
  return absl::OkStatus();
}

std::optional<int> FamilyTable::ExpertOf(std::string_view language) const {
  const auto it = expert_of_.find(language);
  if (it == expert_of_.end()) return std::nullopt;
  return it->second;
}

std::vector<std::string> FamilyTable::languages() const {
  std::vector<std::string> all;
  for (const Family& family : families_) {
    all.insert(all.end(), family.languages.begin(), family.languages.end());
  }
  return all;
}

}  // namespace apollo
