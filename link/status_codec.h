#pragma once

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

namespace apollo {

// Conversion of the end of a call between a router and a dense worker. A retry
// hint (common/retry_hint.h) travels in the details of the status, as a
// google.rpc.RetryInfo. Details of other kinds, or none, are ignored.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace apollo
