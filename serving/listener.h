#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <string>
#include <vector>

#include "serving/file_descriptor.h"

namespace apollo {

// Sockets that listen on one address: one socket for each address that the
// host's name stands for. Nobody accepts yet; connections wait in the kernel.
struct Listener {
  std::vector<FileDescriptor> sockets;  // At least one; they do not block.
  int port = 0;
};

// Listens on "host:port", with brackets around the host if it is an IPv6
// address; an empty host is all addresses of the machine, and port 0 any free
// one, the same for all sockets. Connections send small messages at once, and
// end when what they sent is not acknowledged for `user_timeout`.
// INVALID_ARGUMENT if it is no such address, UNAVAILABLE naming it and the
// reason if it cannot be listened on.
absl::StatusOr<Listener> ListenOn(const std::string& address,
                                  absl::Duration user_timeout);

}  // namespace apollo
