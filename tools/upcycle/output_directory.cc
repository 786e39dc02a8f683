#include "tools/upcycle/output_directory.h"

#include <absl/strings/str_cat.h>

#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

namespace apollo {
namespace {

namespace fs = std::filesystem;

absl::Status FileError(const std::string& what, const std::error_code& error) {
  return absl::ErrnoToStatus(error.value(), what);
}

}  // namespace

absl::StatusOr<OutputDirectory> OutputDirectory::Create(const std::string& path,
                                                        bool overwrite) {
  std::string name = path;
  while (name.size() > 1 && name.back() == '/') name.pop_back();
  std::error_code error;
  if (name.empty() || name == "/") {
    return absl::InvalidArgumentError("the output directory has no name");
  }
  if (fs::exists(fs::symlink_status(name, error))) {
    if (!overwrite) {
      return absl::AlreadyExistsError(
          absl::StrCat(name, " exists; --overwrite replaces it"));
    }
    const bool replaceable =
        fs::is_directory(fs::symlink_status(name, error)) &&
        (fs::is_empty(name, error) || fs::exists(name + "/config.json", error));
    if (!replaceable) {
      return absl::AlreadyExistsError(absl::StrCat(
          name, " is neither a model directory nor empty; it is not replaced"));
    }
  }
  OutputDirectory output(name);
  fs::remove_all(output.partial_, error);
  if (!fs::create_directories(output.partial_, error)) {
    return FileError("cannot create " + output.partial_, error);
  }
  return output;
}

OutputDirectory::OutputDirectory(std::string path)
    : path_(std::move(path)), partial_(path_ + ".partial") {}

OutputDirectory::OutputDirectory(OutputDirectory&& other) noexcept
    : path_(std::exchange(other.path_, "")),
      partial_(std::move(other.partial_)) {}

OutputDirectory::~OutputDirectory() {
  if (path_.empty()) return;
  std::error_code ignored;
  fs::remove_all(partial_, ignored);
}

std::string OutputDirectory::PathOf(const std::string& name) const {
  return absl::StrCat(partial_, "/", name);
}

absl::Status OutputDirectory::Write(const std::string& name,
                                    const std::string& text) const {
  std::ofstream file(PathOf(name), std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) return absl::UnavailableError("cannot write " + PathOf(name));
  return absl::OkStatus();
}

absl::Status OutputDirectory::Commit() {
  std::error_code error;
  const std::string old = path_ + ".replaced";
  fs::remove_all(old, error);
  if (fs::exists(path_)) {
    fs::rename(path_, old, error);
    if (error) return FileError("cannot move " + path_ + " away", error);
  }
  fs::rename(partial_, path_, error);
  if (error) {
    std::error_code ignored;
    fs::rename(old, path_, ignored);  // An existing directory stays.
    return FileError("cannot rename " + partial_, error);
  }
  fs::remove_all(old, error);
  path_.clear();
  return absl::OkStatus();
}

}  // namespace apollo
