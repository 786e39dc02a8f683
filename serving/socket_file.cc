#include "serving/socket_file.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/status_macros.h"
#include "serving/unix_address.h"

namespace apollo {
namespace {

constexpr mode_t kOnlyUser = S_IRUSR | S_IWUSR;

// Calls connect or bind.
template <typename Call>
int WithAddress(Call call, const FileDescriptor& socket,
                const std::string& path) {
  const sockaddr_un address = UnixSocketAddress(path);
  return call(socket.get(), reinterpret_cast<const sockaddr*>(&address),
              static_cast<socklen_t>(sizeof(address)));
}

FileDescriptor NewSocket() {
  return FileDescriptor(
      socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

}  // namespace

SocketFile::SocketFile(std::string path, FileDescriptor lock)
    : path_(std::move(path)), lock_(std::move(lock)) {}

absl::Status SocketFile::Error(const std::string& reason, int error) const {
  return absl::UnavailableError(
      absl::StrCat("cannot listen on unix:", path_, ": ", reason,
                   error != 0 ? std::strerror(error) : ""));
}

absl::StatusOr<std::unique_ptr<SocketFile>> SocketFile::Claim(
    const std::string& path) {
  if (path.size() > kMaxUnixPath) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot listen on unix:", path, ": the path has ", path.size(),
        " bytes; that of a socket must have at most ", kMaxUnixPath));
  }
  const std::string name = path + ".lock";
  FileDescriptor lock(
      open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kOnlyUser));
  const int error = errno;
  std::unique_ptr<SocketFile> file(new SocketFile(path, std::move(lock)));
  if (!file->lock_.ok()) {
    return file->Error(absl::StrCat("cannot open ", name, ": "), error);
  }
  if (flock(file->lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK
               ? file->Error(
                     absl::StrCat("another process does, and holds ", name))
               : file->Error(absl::StrCat("cannot lock ", name, ": "), errno);
  }
  return file;
}

SocketFile::~SocketFile() {
  struct stat facts = {};
  if (!listens_ || lstat(path_.c_str(), &facts) != 0) return;
  // Somebody may have put another file there.
  if (facts.st_dev == device_ && facts.st_ino == inode_) unlink(path_.c_str());
}

absl::Status SocketFile::RemoveStale() const {
  struct stat facts = {};
  if (lstat(path_.c_str(), &facts) != 0) {
    return errno == ENOENT ? absl::OkStatus() : Error("", errno);
  }
  if (!S_ISSOCK(facts.st_mode)) {
    return Error(
        "a file that is no socket is there; remove it, or give another "
        "path");
  }
  const FileDescriptor trial = NewSocket();
  if (!trial.ok()) return Error("", errno);
  if (WithAddress(connect, trial, path_) == 0 || errno == EAGAIN) {
    return Error("another process does");
  }
  if (errno != ECONNREFUSED) return Error("", errno);
  if (unlink(path_.c_str()) != 0) {
    return Error("cannot remove the socket of a process that has ended: ",
                 errno);
  }
  return absl::OkStatus();
}

absl::StatusOr<FileDescriptor> SocketFile::Listen() {
  RETURN_IF_ERROR(RemoveStale());
  FileDescriptor socket = NewSocket();
  if (!socket.ok()) return Error("", errno);
  // Linux gives the file the mode of the socket, without the bits of the umask,
  // so there is no time in which others could connect.
  if (fchmod(socket.get(), kOnlyUser) != 0 ||
      WithAddress(bind, socket, path_) != 0) {
    return Error("", errno);
  }
  struct stat facts = {};
  if (lstat(path_.c_str(), &facts) != 0) return Error("", errno);
  listens_ = true;
  device_ = facts.st_dev;
  inode_ = facts.st_ino;
  if ((facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Error("others than its user may connect");
  }
  if (listen(socket.get(), SOMAXCONN) != 0) return Error("", errno);
  return socket;
}

}  // namespace apollo
