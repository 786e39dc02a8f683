#pragma once

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

namespace apollo {

// Returns the status as gRPC sends it: FieldErrors carry a
// google.rpc.BadRequest, UNAVAILABLE and RESOURCE_EXHAUSTED a
// google.rpc.RetryInfo.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace apollo
