#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "serving/file_descriptor.h"

namespace apollo {

// A file in the memory of this process, for libraries that want a path: its
// content never reaches a disk, and only this process can open it. The content
// is replaced as a whole: whoever opens the path reads one state or another,
// never a mixture, and each state has another time of modification. It exists
// until the process ends, even after this object is destroyed: nobody knows
// when a library reads the path for the last time. Not thread-safe; readers may
// read at any time.
class MemoryFile {
 public:
  // Returns RESOURCE_EXHAUSTED if the process cannot open another file.
  static absl::StatusOr<MemoryFile> Make(std::string_view content);

  // Replaces the content. Returns an error and keeps the old one if that is
  // not possible.
  absl::Status Replace(std::string_view content);

  // A path that stays the same, and is valid in this process only. Needs /proc.
  const std::string& path() const { return path_; }

 private:
  explicit MemoryFile(FileDescriptor file);

  int file_;
  std::string path_;
  int states_ = 1;
};

}  // namespace apollo
