#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>

namespace apollo {

// A directory that appears under its name only when it is complete: files are
// written into `<path>.partial`, which Commit() renames. Without Commit() the
// partial directory is removed; one that a killed run left is replaced.
class OutputDirectory {
 public:
  // ALREADY_EXISTS if `path` exists, unless `overwrite` and it is an empty
  // directory or holds a model (a config.json): nothing else is ever replaced.
  static absl::StatusOr<OutputDirectory> Create(const std::string& path,
                                                bool overwrite);

  OutputDirectory(OutputDirectory&& other) noexcept;
  OutputDirectory& operator=(OutputDirectory&&) = delete;
  ~OutputDirectory();

  // Where to write the file of that name.
  std::string PathOf(const std::string& name) const;

  // Writes a whole file.
  absl::Status Write(const std::string& name, const std::string& text) const;

  absl::Status Commit();

 private:
  explicit OutputDirectory(std::string path);
  std::string path_;  // Empty once committed or moved from.
  std::string partial_;
};

}  // namespace apollo
