#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>

#include "serving/admin_service.h"
#include "serving/connection_gate.h"

namespace apollo {

// Serves AdminService at an address of its own. Thread-safe.
class AdminServer {
 public:
  // Listens on an address that passes CheckAdminListen; on a Unix socket as in
  // serving/socket_file.h. Returns UNAVAILABLE naming the flag and the address
  // if it cannot listen, or INVALID_ARGUMENT if the path is too long.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(
      const std::string& listen, AdminActions actions);
  // Cancels calls in progress and waits for them.
  ~AdminServer();

  // Where it listens: "host:port" or "unix:/path".
  const std::string& address() const { return address_; }

 private:
  // Connections to a Unix socket.
  static constexpr int kMostConnections = 64;

  explicit AdminServer(AdminActions actions) : service_(std::move(actions)) {}

  absl::Status ServePort();
  absl::Status ServeSocket();

  AdminService service_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
  prometheus::Registry connections_;      // Not published.
  std::unique_ptr<ConnectionGate> gate_;  // Of a Unix socket.
};

// Returns INVALID_ARGUMENT naming the flag --admin_listen unless the value is
// empty, "unix:/path", or a port of the machine itself: the port knows no
// passwords.
absl::Status CheckAdminListen(const std::string& value);

}  // namespace apollo
