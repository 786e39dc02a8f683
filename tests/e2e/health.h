#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

namespace apollo {

// Whether the server at the other end says that it is SERVING, within a second.
bool IsServing(const std::shared_ptr<grpc::Channel>& channel);

}  // namespace apollo
