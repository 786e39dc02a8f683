#include "tools/upcycle/family_texts.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "common/status_macros.h"

namespace apollo {
namespace {

namespace fs = std::filesystem;

// Calls `take(number, line)` for each line that is not empty.
template <typename F>
absl::Status ForEachLine(const std::string& path, F take) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError("cannot open " + path);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) RETURN_IF_ERROR(take(number, std::move(line)));
  }
  return absl::OkStatus();
}

void Add(const FamilyTable& families, const std::string& language,
         std::string text, FamilyTexts& texts) {
  const std::optional<int> expert = families.ExpertOf(language);
  if (expert && !text.empty()) texts[*expert].push_back(std::move(text));
}

absl::Status ReadTable(const std::string& path, const FamilyTable& families,
                       FamilyTexts& texts) {
  return ForEachLine(path, [&](int number, const std::string& line) {
    const std::size_t first = line.find('\t');
    if (first == std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", number,
                       ": no tab; a line is a language code, a tab and a "
                       "text"));
    }
    Add(families, line.substr(0, first), line.substr(line.rfind('\t') + 1),
        texts);
    return absl::OkStatus();
  });
}

absl::Status ReadFolder(const std::string& path, const FamilyTable& families,
                        FamilyTexts& texts) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  if (error) {
    return absl::ErrnoToStatus(error.value(), "cannot list " + path);
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    const std::string language = file.stem().string();
    RETURN_IF_ERROR(ForEachLine(file.string(), [&](int, std::string line) {
      Add(families, language, std::move(line), texts);
      return absl::OkStatus();
    }));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FamilyTexts> ReadFamilyTexts(const std::string& path,
                                            const FamilyTable& families) {
  FamilyTexts texts(families.families().size());
  std::error_code error;
  if (fs::is_directory(path, error)) {
    RETURN_IF_ERROR(ReadFolder(path, families, texts));
  } else {
    RETURN_IF_ERROR(ReadTable(path, families, texts));
  }
  for (const Family& family : families.families()) {
    if (!texts[family.expert].empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        path, " has no text of family ", family.expert, " (", family.name,
        "); each family needs texts in one of its languages, such as ",
        family.languages.front()));
  }
  return texts;
}

}  // namespace apollo
