#pragma once

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include <string>
#include <string_view>

namespace apollo {

// INVALID_ARGUMENT about one field of a request, for example
// FieldError("sampling.temperature", "is -1; it must be from 0 to 100").
// Never put text of the request into `problem`.
absl::Status FieldError(std::string_view field, std::string_view problem);

// As gRPC sends it: FieldErrors carry a google.rpc.BadRequest, UNAVAILABLE and
// RESOURCE_EXHAUSTED a google.rpc.RetryInfo.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace apollo
