#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace apollo {

// Returns the path of the address of a Unix socket, "unix:/path"; nullopt for
// any other text.
inline std::optional<std::string> UnixPath(std::string_view address) {
  constexpr std::string_view kUnix = "unix:";
  if (!address.starts_with(kUnix)) return std::nullopt;
  address.remove_prefix(kUnix.size());
  if (!address.starts_with('/')) return std::nullopt;
  return std::string(address);
}

// The longest path of a Unix socket, in bytes.
inline constexpr std::size_t kMaxUnixPath = sizeof(sockaddr_un::sun_path) - 1;

// Returns the address of the socket at a path of at most that length.
inline sockaddr_un UnixSocketAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

}  // namespace apollo
