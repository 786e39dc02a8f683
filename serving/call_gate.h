#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <string>

namespace apollo {

// Decides about a call of the method with this path, such as
// "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo". Returns OK, or
// the error of the call, with its details. Thread-safe.
using CallGate = std::function<grpc::Status(
    const grpc::ServerContextBase& context, const std::string& path)>;

}  // namespace apollo
