#include "serving/admin_server.h"

#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include <chrono>
#include <memory>
#include <utility>

#include "common/status_macros.h"
#include "serving/host_port.h"
#include "serving/listener.h"
#include "serving/plaintext.h"
#include "serving/unix_address.h"

namespace apollo {

absl::Status CheckAdminListen(const std::string& value) {
  if (value.empty() || UnixPath(value)) {
    return absl::OkStatus();
  }
  if (ParseHostPort(value) && IsLocalAddress(value)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--admin_listen is \"", value,
      "\"; it must be empty, unix:/path, or 127.0.0.1:PORT, [::1]:PORT or "
      "localhost:PORT, because whoever reaches it may stop the process"));
}

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(
    const std::string& listen, AdminActions actions) {
  std::unique_ptr<AdminServer> admin(new AdminServer(std::move(actions)));
  admin->address_ = listen;
  const absl::Status served =
      UnixPath(listen) ? admin->ServeSocket() : admin->ServePort();
  if (!served.ok()) {
    return absl::Status(served.code(),
                        absl::StrCat("--admin_listen: ", served.message()));
  }
  return admin;
}

absl::Status AdminServer::ServePort() {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address_, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service_);
  // Another process at the same port would get half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address_));
  }
  address_ = absl::StrCat(ParseHostPort(address_)->host, ":", port);
  return absl::OkStatus();
}

absl::Status AdminServer::ServeSocket() {
  // gRPC would give the file the mode of the umask.
  ASSIGN_OR_RETURN(Listener listener,
                   ListenOn(address_, absl::InfiniteDuration()));
  grpc::ServerBuilder builder;
  const std::shared_ptr<grpc::experimental::ExternalConnectionAcceptor>
      acceptor = builder.experimental().AddExternalConnectionAcceptor(
          grpc::ServerBuilder::experimental_type::ExternalConnectionType::
              FROM_FD,
          grpc::InsecureServerCredentials());
  builder.RegisterService(&service_);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot serve gRPC on ", address_));
  }
  const auto hand_over = [acceptor](int from, int connection) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
        handed;
    handed.listener_fd = from;
    handed.fd = connection;
    acceptor->HandleNewConnection(&handed);
  };
  ASSIGN_OR_RETURN(gate_,
                   ConnectionGate::Open(std::move(listener), kMostConnections,
                                        hand_over, connections_));
  return absl::OkStatus();
}

AdminServer::~AdminServer() {
  gate_.reset();
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

}  // namespace apollo
