#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

namespace apollo::client {

// Returns a channel to `server` ("host:port"). Connects with the first call,
// which fails at once if the server is unreachable. Pings the server while it
// is idle.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& server);

}  // namespace apollo::client
