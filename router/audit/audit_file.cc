#include "router/audit/audit_file.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "common/status_macros.h"

namespace apollo {
namespace {

// Returns the position after the last newline of a file of this size, or -1 on
// an error.
std::int64_t EndOfLines(int file, std::int64_t size) {
  char block[4096];
  while (size > 0) {
    const auto length = std::min<std::int64_t>(size, sizeof block);
    if (pread(file, block, length, size - length) != length) return -1;
    for (std::int64_t i = length; i > 0; --i) {
      if (block[i - 1] == '\n') return size - length + i;
    }
    size -= length;
  }
  return 0;
}

// Makes new and renamed names in the folder of a file durable.
bool SyncFolderOf(const std::string& path) {
  const std::filesystem::path parent =
      std::filesystem::path(path).parent_path();
  const FileDescriptor opened(open(parent.empty() ? "." : parent.c_str(),
                                   O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return opened.ok() && fsync(opened.get()) == 0;
}

}  // namespace

absl::Status AuditFile::Failed(const char* action) const {
  return absl::ErrnoToStatus(
      errno, absl::StrCat("cannot ", action, " ", options_.path));
}

absl::StatusOr<std::unique_ptr<AuditFile>> AuditFile::Open(
    const Options& options) {
  signal(SIGXFSZ, SIG_IGN);
  std::unique_ptr<AuditFile> file(new AuditFile(options));
  RETURN_IF_ERROR(file->OpenNewest());
  return file;
}

absl::Status AuditFile::OpenNewest() {
  FileDescriptor opened(open(options_.path.c_str(),
                             O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!opened.ok()) return Failed("open");
  if (flock(opened.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Failed("lock");
    return absl::FailedPreconditionError(absl::StrCat(
        options_.path,
        " is written by another process; each router needs a file of its own"));
  }
  struct stat state;
  if (fstat(opened.get(), &state) != 0) return Failed("stat");
  if (!S_ISREG(state.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(options_.path, " is not a regular file"));
  }
  const std::int64_t end = EndOfLines(opened.get(), state.st_size);
  if (end < 0) return Failed("read");
  if (end < state.st_size) {
    if (ftruncate(opened.get(), end) != 0) return Failed("shorten");
    dropped_bytes_ += state.st_size - end;
  }
  if (!SyncFolderOf(options_.path)) return Failed("sync the folder of");
  file_ = std::move(opened);
  size_ = end;
  torn_ = false;
  return absl::OkStatus();
}

bool AuditFile::IsNewest() {
  struct stat open_file, named;
  if (fstat(file_.get(), &open_file) != 0) return false;
  size_ = open_file.st_size;  // Somebody else may have shortened it.
  return stat(options_.path.c_str(), &named) == 0 &&
         open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

absl::Status AuditFile::Rotate() {
  const auto name = [this](int number) {
    return number == 0 ? options_.path
                       : absl::StrCat(options_.path, ".", number);
  };
  // The first number that is free, or the last one, whose file is dropped.
  int free = 1;
  while (free < options_.files - 1 && access(name(free).c_str(), F_OK) == 0) {
    ++free;
  }
  for (int i = free; i > 0; --i) {
    if (rename(name(i - 1).c_str(), name(i).c_str()) != 0) {
      return Failed("rotate");
    }
  }
  return OpenNewest();
}

absl::Status AuditFile::CutBack() {
  if (!torn_) return absl::OkStatus();
  if (ftruncate(file_.get(), size_) != 0) return Failed("shorten");
  torn_ = false;
  return absl::OkStatus();
}

absl::Status AuditFile::WriteAll(std::string_view lines) {
  while (!lines.empty()) {
    const ssize_t written = write(file_.get(), lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed("write");
    lines.remove_prefix(written);
  }
  if (fdatasync(file_.get()) != 0) return Failed("sync");
  return absl::OkStatus();
}

absl::Status AuditFile::Append(std::string_view lines) {
  RETURN_IF_ERROR(CutBack());
  if (!IsNewest()) RETURN_IF_ERROR(OpenNewest());
  const auto length = static_cast<std::int64_t>(lines.size());
  if (size_ > 0 && size_ + length > (options_.max_megabytes << 20)) {
    RETURN_IF_ERROR(Rotate());
  }
  torn_ = true;
  if (const absl::Status written = WriteAll(lines); !written.ok()) {
    // If this fails, too, the next Append tries again.
    static_cast<void>(CutBack());
    return written;
  }
  size_ += length;
  torn_ = false;
  return absl::OkStatus();
}

}  // namespace apollo
