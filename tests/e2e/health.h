#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

namespace apollo {

// Returns true if the server reports SERVING within a second.
bool IsServing(const std::shared_ptr<grpc::Channel>& channel);

}  // namespace apollo
