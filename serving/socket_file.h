#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <memory>
#include <string>

#include "serving/file_descriptor.h"

namespace apollo {

// The file of a Unix socket that listens. Only the user of the process may
// connect (mode 0600, from the beginning).
//
// A process that was killed leaves its file, to which nobody can connect any
// more. Such a file is replaced, but never one of another kind, nor that of a
// process that still listens. A lock, the file "PATH.lock", keeps two processes
// that start at once from replacing each other's; it stays when they end, or
// one could lock a file that another has removed. Single-threaded.
class SocketFile {
 public:
  // Makes the path, which must be absolute, this process's own. Returns
  // INVALID_ARGUMENT if it is longer than kMaxUnixPath, or UNAVAILABLE with the
  // reason, among others that another process has it. Both name the address,
  // "unix:PATH".
  static absl::StatusOr<std::unique_ptr<SocketFile>> Claim(
      const std::string& path);
  // Removes the file of Listen, if it is still there, and the lock.
  ~SocketFile();
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

  // Returns a non-blocking socket that listens at the path, or UNAVAILABLE
  // with the address and the reason. Call once.
  absl::StatusOr<FileDescriptor> Listen();

 private:
  SocketFile(std::string path, FileDescriptor lock);

  // Returns UNAVAILABLE with the address, the reason and, if it is not 0, the
  // meaning of an errno.
  absl::Status Error(const std::string& reason, int error = 0) const;
  // Removes the socket of a process that has ended.
  absl::Status RemoveStale() const;

  const std::string path_;
  const FileDescriptor lock_;
  // Of the file, if there is one.
  bool listens_ = false;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace apollo
