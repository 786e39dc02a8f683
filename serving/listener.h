#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <netdb.h>

#include <memory>
#include <string>
#include <vector>

#include "serving/file_descriptor.h"
#include "serving/socket_file.h"

namespace apollo {

// Sockets that listen on one address: one for each address of the host name, or
// a Unix socket. Until they are accepted, connections wait in the kernel.
struct Listener {
  std::vector<FileDescriptor> sockets;  // At least one; non-blocking.
  int port = 0;                         // 0 for a Unix socket.
  std::unique_ptr<SocketFile> file;     // Of a Unix socket.
};

// Listens on "host:port" or "unix:/path" (serving/socket_file.h). An IPv6
// address is in brackets; an empty host means all addresses of the machine, and
// port 0 any free port, the same for all sockets. Connections send small
// messages immediately (TCP_NODELAY), and end when sent data is not
// acknowledged for `user_timeout`. Returns INVALID_ARGUMENT for an invalid
// address, or UNAVAILABLE with the address and the reason if listening fails.
absl::StatusOr<Listener> ListenOn(const std::string& address,
                                  absl::Duration user_timeout);

// The same for resolved addresses, of which repeated ones count once. `address`
// is for errors.
absl::StatusOr<Listener> ListenOnAll(const addrinfo* addresses,
                                     const std::string& address,
                                     absl::Duration user_timeout);

}  // namespace apollo
