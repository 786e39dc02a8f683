#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>

namespace apollo {

// Creates a directory atomically: files are written to `<path>.partial`, which
// Commit() renames. Without Commit(), the partial directory is removed. One
// left by a killed run is replaced.
class OutputDirectory {
 public:
  // Returns ALREADY_EXISTS if `path` exists, unless `overwrite` is set and it
  // is an empty directory or contains a model (a config.json). Nothing else is
  // ever replaced.
  static absl::StatusOr<OutputDirectory> Create(const std::string& path,
                                                bool overwrite);

  OutputDirectory(OutputDirectory&& other) noexcept;
  OutputDirectory& operator=(OutputDirectory&&) = delete;
  ~OutputDirectory();

  // Returns the path at which to write the file of that name.
  std::string PathOf(const std::string& name) const;

  // Writes a complete file.
  absl::Status Write(const std::string& name, const std::string& text) const;

  absl::Status Commit();

 private:
  explicit OutputDirectory(std::string path);
  std::string path_;  // Empty after Commit or a move.
  std::string partial_;
};

}  // namespace apollo
