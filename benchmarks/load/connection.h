#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/channel.h>

#include <memory>

namespace apollo::load {

// Returns a channel to the router of the flags --server, --tls_ca, --tls_cert,
// --tls_key and --tls_server_name, which have the meaning, and without a value
// the environment variables, of the options of `apollo`: over TLS if there is a
// --tls_ca. Returns the errors of client::MakeChannel (tools/apollo/channel.h).
absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectByFlags();

}  // namespace apollo::load
