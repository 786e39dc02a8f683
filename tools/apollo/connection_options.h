#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "tools/apollo/options.h"

namespace apollo::client {

// Adds the options that tell where the cluster is and how to reach it, the same
// for all clients: --server, --tls_ca, --tls_cert, --tls_key, --tls_server_name
// and --token_file. Without a value, they have that of APOLLO_SERVER,
// APOLLO_TLS_CA and so on in the environment. `server` is the help of --server,
// which may name several. `options` must outlive `app`; channel.h makes a
// channel of them.
void AddConnectionOptions(CLI::App& app, const std::string& server,
                          Options& options);

}  // namespace apollo::client
