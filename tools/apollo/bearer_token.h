#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <string>

namespace apollo::client {

// Reads the bearer token in a file of one line. Returns INVALID_ARGUMENT naming
// the file, but never its content, if that is no token, and an error naming it
// if it cannot be read.
absl::StatusOr<std::string> ReadToken(const std::string& file);

// Returns a factory of interceptors that send the token in the file with every
// call, as "authorization: Bearer TOKEN". The file is read for each call, since
// tokens are renewed; while it has none, `token` is sent, or the one read last.
// Thread-safe.
std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>
MakeTokenSender(std::string file, std::string token);

}  // namespace apollo::client
