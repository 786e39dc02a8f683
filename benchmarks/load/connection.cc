#include "benchmarks/load/connection.h"

#include <absl/flags/flag.h>

#include <cstdlib>
#include <string>

#include "tools/apollo/channel.h"
#include "tools/apollo/options.h"

ABSL_FLAG(std::string, server, "",
          "Address of the router: host:port or unix:/path. Default: "
          "$APOLLO_SERVER, else 127.0.0.1:50051.");
ABSL_FLAG(std::string, tls_ca, "",
          "File with the authorities that sign the server's certificate, in "
          "PEM form: talks TLS. Default: $APOLLO_TLS_CA, else plaintext.");
ABSL_FLAG(std::string, tls_cert, "",
          "File with the certificate of this client, in PEM form. Default: "
          "$APOLLO_TLS_CERT.");
ABSL_FLAG(std::string, tls_key, "",
          "File with its private key, in PEM form. Default: $APOLLO_TLS_KEY.");
ABSL_FLAG(std::string, tls_server_name, "",
          "Name that the server's certificate must have. Default: "
          "$APOLLO_TLS_SERVER_NAME, else the host of --server.");

namespace apollo::load {
namespace {

// Replaces `value` by that of the flag or, if it is empty, of the environment,
// if there is one.
void Read(const absl::Flag<std::string>& flag, const char* variable,
          std::string& value) {
  const std::string given = absl::GetFlag(flag);
  const char* const environment = std::getenv(variable);
  if (!given.empty()) {
    value = given;
  } else if (environment != nullptr && *environment != '\0') {
    value = environment;
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectByFlags() {
  client::Options options;
  Read(FLAGS_server, "APOLLO_SERVER", options.server);
  Read(FLAGS_tls_ca, "APOLLO_TLS_CA", options.tls_ca);
  Read(FLAGS_tls_cert, "APOLLO_TLS_CERT", options.tls_cert);
  Read(FLAGS_tls_key, "APOLLO_TLS_KEY", options.tls_key);
  Read(FLAGS_tls_server_name, "APOLLO_TLS_SERVER_NAME",
       options.tls_server_name);
  return client::MakeChannel(options);
}

}  // namespace apollo::load
