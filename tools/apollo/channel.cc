#include "tools/apollo/channel.h"

#include <absl/strings/str_cat.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <string>
#include <utility>
#include <vector>

#include "common/mapped_file.h"
#include "common/status_macros.h"
#include "serving/plaintext.h"
#include "tools/apollo/bearer_token.h"

namespace apollo::client {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(
    const Options& options) {
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return absl::InvalidArgumentError(
        "--tls_cert and --tls_key belong together: one is missing");
  }
  if (options.tls_ca.empty()) {
    if (options.tls_cert.empty() && options.tls_server_name.empty()) {
      return grpc::InsecureChannelCredentials();
    }
    return absl::InvalidArgumentError(
        "--tls_ca is missing: it proves that the server is the right one");
  }
  grpc::SslCredentialsOptions files;
  ASSIGN_OR_RETURN(files.pem_root_certs,
                   ReadFile(options.tls_ca, kMaxFileBytes));
  if (!options.tls_cert.empty()) {
    ASSIGN_OR_RETURN(files.pem_cert_chain,
                     ReadFile(options.tls_cert, kMaxFileBytes));
    ASSIGN_OR_RETURN(files.pem_private_key,
                     ReadFile(options.tls_key, kMaxFileBytes));
  }
  return grpc::SslCredentials(files);
}

using Interceptors = std::vector<
    std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>;

// Returns what sends the bearer token, if there is one.
absl::StatusOr<Interceptors> TokenSenders(const Options& options) {
  Interceptors senders;
  if (options.token_file.empty()) return senders;
  if (options.tls_ca.empty() && !IsLocalAddress(options.server)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--token_file needs --tls_ca: ", options.server,
        " is not on this machine alone (127.0.0.1, [::1], unix:), and whoever "
        "reads the token on the way may use it"));
  }
  ASSIGN_OR_RETURN(std::string token, ReadToken(options.token_file));
  senders.push_back(MakeTokenSender(options.token_file, std::move(token)));
  return senders;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(
    const Options& options) {
  ASSIGN_OR_RETURN(Interceptors senders, TokenSenders(options));
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials,
                   Credentials(options));
  grpc::ChannelArguments arguments;
  if (!options.tls_server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.tls_server_name);
  }
  arguments.SetMaxReceiveMessageSize(kMaxResponseBytes);
  // `health --wait` reconnects quickly.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // A chat may be silent for as long as its user reads. Pings keep firewalls
  // and load balancers from dropping its connection, and find out if one has.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Addresses in the local network are not reached through a proxy.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      options.server, credentials, arguments, std::move(senders));
}

}  // namespace apollo::client
