#include "serving/listener.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "serving/host_port.h"
#include "serving/unix_address.h"

namespace apollo {
namespace {

// Attempts to find a port that is free for all addresses of a name.
constexpr int kAttempts = 16;

using Addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

absl::StatusOr<Addresses> Resolve(const std::string& address) {
  const std::optional<HostPort> parsed = ParseHostPort(address);
  if (!parsed) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", address,
                     "\" is not an address to listen on; it must be host:port, "
                     "with a port from 0 to 65535, or unix:/path"));
  }
  std::string host = parsed->host;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(host.empty() ? nullptr : host.c_str(),
                  std::to_string(parsed->port).c_str(), &hints, &found);
  if (error != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, ": ", gai_strerror(error)));
  }
  return Addresses(found, freeaddrinfo);
}

void SetPort(sockaddr* address, int port) {
  const auto number = htons(static_cast<std::uint16_t>(port));
  if (address->sa_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = number;
  } else {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = number;
  }
}

int PortOf(const sockaddr& address) {
  return ntohs(address.sa_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

int PortOf(int socket) {
  sockaddr_storage bound = {};
  socklen_t size = sizeof(bound);
  getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size);
  return PortOf(reinterpret_cast<const sockaddr&>(bound));
}

// /etc/hosts may give a name the same address twice.
std::vector<const addrinfo*> Distinct(const addrinfo* addresses) {
  std::vector<const addrinfo*> distinct;
  for (const addrinfo* a = addresses; a != nullptr; a = a->ai_next) {
    const bool known =
        std::any_of(distinct.begin(), distinct.end(), [a](const addrinfo* b) {
          return a->ai_addrlen == b->ai_addrlen &&
                 std::memcmp(a->ai_addr, b->ai_addr, a->ai_addrlen) == 0;
        });
    if (!known) distinct.push_back(a);
  }
  return distinct;
}

// Returns a listening socket, or one that is not ok, with errno set. `only` is
// true if this is the only address of the host.
FileDescriptor Bind(const addrinfo& to, bool only,
                    absl::Duration user_timeout) {
  FileDescriptor socket(
      ::socket(to.ai_family, to.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.ok()) return socket;
  const int on = 1;
  // The kernel keeps an int. At 0 its own default would apply.
  const auto milliseconds = static_cast<unsigned>(
      std::clamp<std::int64_t>(absl::ToInt64Milliseconds(user_timeout), 1,
                               std::numeric_limits<int>::max()));
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // Connections inherit these two.
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds,
             sizeof(milliseconds));
  if (to.ai_family == AF_INET6) {
    // The wildcard [::] alone also serves IPv4. Otherwise another socket may
    // listen on the same IPv4 port.
    const int v6_only = only ? 0 : 1;
    setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &v6_only,
               sizeof(v6_only));
  }
  if (bind(socket.get(), to.ai_addr, to.ai_addrlen) != 0 ||
      listen(socket.get(), SOMAXCONN) != 0) {
    const int error = errno;
    socket.Reset();
    errno = error;
  }
  return socket;
}

// Listens on all addresses with one port. On failure returns an error and sets
// `error` to errno.
absl::StatusOr<Listener> TryListen(
    const std::vector<const addrinfo*>& addresses, absl::Duration user_timeout,
    int& error) {
  Listener listener;
  for (const addrinfo* to : addresses) {
    sockaddr_storage address = {};
    std::memcpy(&address, to->ai_addr, to->ai_addrlen);
    addrinfo with_port = *to;
    with_port.ai_addr = reinterpret_cast<sockaddr*>(&address);
    if (listener.port > 0) SetPort(with_port.ai_addr, listener.port);
    FileDescriptor socket =
        Bind(with_port, addresses.size() == 1, user_timeout);
    if (!socket.ok()) {
      error = errno;
      if (error == EADDRINUSE) return absl::UnavailableError("in use");
      continue;  // The machine may lack one of IPv4 and IPv6.
    }
    listener.port = PortOf(socket.get());
    listener.sockets.push_back(std::move(socket));
  }
  if (listener.sockets.empty()) return absl::UnavailableError("no address");
  return listener;
}

absl::StatusOr<Listener> ListenOnPath(const std::string& path) {
  Listener listener;
  ASSIGN_OR_RETURN(listener.file, SocketFile::Claim(path));
  ASSIGN_OR_RETURN(FileDescriptor socket, listener.file->Listen());
  listener.sockets.push_back(std::move(socket));
  return listener;
}

}  // namespace

absl::StatusOr<Listener> ListenOn(const std::string& address,
                                  absl::Duration user_timeout) {
  if (const auto path = UnixPath(address)) return ListenOnPath(*path);
  ASSIGN_OR_RETURN(const Addresses addresses, Resolve(address));
  return ListenOnAll(addresses.get(), address, user_timeout);
}

absl::StatusOr<Listener> ListenOnAll(const addrinfo* addresses,
                                     const std::string& address,
                                     absl::Duration user_timeout) {
  const std::vector<const addrinfo*> distinct = Distinct(addresses);
  absl::StatusOr<Listener> listener = absl::UnknownError("");
  // A port that is free for one address may be taken for another; then the next
  // attempt gets another one.
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    int error = 0;
    listener = TryListen(distinct, user_timeout, error);
    if (listener.ok()) return listener;
    listener = absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, ": ", std::strerror(error)));
    if (error != EADDRINUSE || PortOf(*distinct.front()->ai_addr) != 0) break;
  }
  return listener;
}

}  // namespace apollo
