#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/channel.h>

#include <memory>

#include "tools/apollo/options.h"

namespace apollo::client {

// The largest response that is accepted: enough for the token list of the
// longest text that the server accepts, and for the status of a large cluster.
inline constexpr int kMaxResponseBytes = 64 << 20;

// Returns a channel to options.server ("host:port"), over TLS if options.tls_ca
// is given. Sends the token of options.token_file, if there is one, with each
// call. Connects with the first call, which fails at once if the server is
// unreachable. Pings the server while it is idle. Returns INVALID_ARGUMENT
// naming the option if one of those of TLS lacks another, or if a token would
// leave the machine in plaintext, and an error naming the file if one cannot be
// read.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(
    const Options& options);

}  // namespace apollo::client
