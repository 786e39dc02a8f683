#include "serving/admin_server.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "serving/host_port.h"
#include "serving/plaintext.h"

namespace apollo {
namespace {

constexpr char kUnix[] = "unix:";

}  // namespace

absl::Status CheckAdminListen(const std::string& value) {
  if (value.empty() || absl::StartsWith(value, "unix:/")) {
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
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&admin->service_);
  // Another process at the same port would get half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  admin->server_ = builder.BuildAndStart();
  if (admin->server_ == nullptr || port == 0) {
    return absl::UnavailableError(
        absl::StrCat("--admin_listen: cannot listen on ", listen));
  }
  if (absl::StartsWith(listen, kUnix)) {
    admin->address_ = listen;
    const std::string path(absl::StripPrefix(listen, kUnix));
    if (chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0) {
      return absl::ErrnoToStatus(
          errno, absl::StrCat("--admin_listen: cannot protect ", path));
    }
    return admin;
  }
  admin->address_ = absl::StrCat(ParseHostPort(listen)->host, ":", port);
  return admin;
}

AdminServer::~AdminServer() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

}  // namespace apollo
