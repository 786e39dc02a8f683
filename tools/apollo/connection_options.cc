#include "tools/apollo/connection_options.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "tools/apollo/help_text.h"

namespace apollo::client {
namespace {

// gRPC accepts an address without a port, and fails with an error that does not
// mention ports.
std::string RequirePortOfOne(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const bool port =
      colon != std::string::npos && colon + 1 < address.size() &&
      address.find_first_not_of("0123456789", colon + 1) == std::string::npos;
  return port || address.rfind("unix:", 0) == 0
             ? ""
             : "\"" + address + "\" is not host:port";
}

std::string RequirePort(const std::string& addresses) {
  for (std::size_t first = 0; first <= addresses.size();) {
    const std::size_t end =
        std::min(addresses.find(',', first), addresses.size());
    const std::string problem =
        RequirePortOfOne(addresses.substr(first, end - first));
    if (!problem.empty()) return problem;
    first = end + 1;
  }
  return "";
}

}  // namespace

void AddConnectionOptions(CLI::App& app, const std::string& server,
                          Options& options) {
  app.add_option("--server", options.server, Wrap(server))
      ->envname("APOLLO_SERVER")
      ->check(RequirePort)
      ->type_name("HOST:PORT,...");
  app.add_option("--tls_ca", options.tls_ca,
                 Wrap("File with the authorities that sign the server's "
                      "certificate, in PEM form: talks TLS (default: "
                      "plaintext)"))
      ->envname("APOLLO_TLS_CA")
      ->type_name("FILE");
  app.add_option("--tls_cert", options.tls_cert,
                 Wrap("File with the certificate of this client, in PEM form"))
      ->envname("APOLLO_TLS_CERT")
      ->type_name("FILE");
  app.add_option("--tls_key", options.tls_key,
                 Wrap("File with its private key, in PEM form"))
      ->envname("APOLLO_TLS_KEY")
      ->type_name("FILE");
  app.add_option("--tls_server_name", options.tls_server_name,
                 Wrap("Name that the server's certificate must have (default: "
                      "the host of --server)"))
      ->envname("APOLLO_TLS_SERVER_NAME")
      ->type_name("NAME");
  app.add_option("--token_file", options.token_file,
                 Wrap("File with a bearer token, which is sent with each "
                      "request; read again when it changes. Needs TLS, unless "
                      "the server is on this machine"))
      ->envname("APOLLO_TOKEN_FILE")
      ->type_name("FILE");
}

}  // namespace apollo::client
