#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "serving/admin_service.h"

namespace apollo {

// Serves AdminService at an address of its own. Thread-safe.
class AdminServer {
 public:
  // Listens on an address that passes CheckAdminListen. A Unix socket replaces
  // a file of that path and may be used by the process's user only. Returns
  // UNAVAILABLE naming the flag and the address if it cannot listen.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(
      const std::string& listen, AdminActions actions);
  // Cancels calls in progress and waits for them.
  ~AdminServer();

  // Where it listens: "host:port" or "unix:/path".
  const std::string& address() const { return address_; }

 private:
  explicit AdminServer(AdminActions actions) : service_(std::move(actions)) {}

  AdminService service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

// Returns INVALID_ARGUMENT naming the flag --admin_listen unless the value is
// empty, "unix:/path", or a port of the machine itself: the port knows no
// passwords.
absl::Status CheckAdminListen(const std::string& value);

}  // namespace apollo
