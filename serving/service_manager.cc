#include "serving/service_manager.h"

#include <absl/strings/str_cat.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "serving/file_descriptor.h"

namespace apollo {

absl::Status NotifyServiceManager(std::string_view message) {
  const char* given = std::getenv("NOTIFY_SOCKET");
  if (given == nullptr || *given == '\0') return absl::OkStatus();
  const std::string_view name = given;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if ((name[0] != '/' && name[0] != '@') ||
      name.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("NOTIFY_SOCKET is \"", given,
                     "\"; it must be a path, or @ and an abstract name, of "
                     "fewer than ",
                     sizeof(address.sun_path), " bytes"));
  }
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name[0] == '@') address.sun_path[0] = '\0';
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.ok() ||
      sendto(socket.get(), message.data(), message.size(), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&address),
             static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) +
                                    name.size())) < 0) {
    return absl::UnavailableError(absl::StrCat("NOTIFY_SOCKET is \"", given,
                                               "\": ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

}  // namespace apollo
