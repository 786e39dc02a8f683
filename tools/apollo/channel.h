#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

namespace apollo::client {

// A channel to `server` ("host:port"). Connects with the first call; a server
// that is not there fails that call at once.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& server);

}  // namespace apollo::client
