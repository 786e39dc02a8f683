#include "serving/memory_file.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include "common/status_macros.h"

namespace apollo {
namespace {

// Returns a file whose time of modification is `state` seconds after 1970.
absl::StatusOr<FileDescriptor> Write(std::string_view content, int state) {
  FileDescriptor file(memfd_create("apollo", MFD_CLOEXEC));
  if (!file.ok()) {
    return absl::ErrnoToStatus(errno, "cannot make a file in memory");
  }
  while (!content.empty()) {
    const ssize_t written = write(file.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      return absl::ErrnoToStatus(errno, "cannot write a file in memory");
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  const timespec times[2] = {{state, 0}, {state, 0}};
  if (fchmod(file.get(), S_IRUSR) != 0 || futimens(file.get(), times) != 0) {
    return absl::ErrnoToStatus(errno, "cannot complete a file in memory");
  }
  return file;
}

}  // namespace

absl::StatusOr<MemoryFile> MemoryFile::Make(std::string_view content) {
  ASSIGN_OR_RETURN(FileDescriptor file, Write(content, 1));
  return MemoryFile(std::move(file));
}

MemoryFile::MemoryFile(FileDescriptor file)
    : file_(file.Release()), path_(absl::StrCat("/proc/self/fd/", file_)) {}

absl::Status MemoryFile::Replace(std::string_view content) {
  ASSIGN_OR_RETURN(const FileDescriptor file, Write(content, states_ + 1));
  if (dup3(file.get(), file_, O_CLOEXEC) < 0) {
    return absl::ErrnoToStatus(errno, "cannot replace a file in memory");
  }
  ++states_;
  return absl::OkStatus();
}

}  // namespace apollo
