#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

namespace apollo {

// Returns true if the server reports SERVING. A server that nobody can reach is
// not serving at once, one that hangs only after 20 seconds: a busy machine
// must not look like a lost worker.
bool IsServing(const std::shared_ptr<grpc::Channel>& channel);

}  // namespace apollo
