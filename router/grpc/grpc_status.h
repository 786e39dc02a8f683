#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>
#include <grpcpp/grpcpp.h>

#include <optional>
#include <string>

namespace apollo {

// Returns the time after which the client should repeat a call that ended with
// the status, or nullopt unless that is UNAVAILABLE or RESOURCE_EXHAUSTED. It
// is at least that of the status's retry hint (common/retry_hint.h), or 1
// second, and at most twice as long, by the request, so that clients that were
// refused together do not come back together. The least for an empty id.
std::optional<absl::Duration> RetryDelay(const absl::Status& status,
                                         const std::string& request_id);

// Returns the status as gRPC sends it: FieldErrors carry a
// google.rpc.BadRequest, statuses with a RetryDelay a google.rpc.RetryInfo,
// QuotaRefusals a google.rpc.QuotaFailure, too.
grpc::Status ToGrpcStatus(const absl::Status& status,
                          const std::string& request_id = "");

// Adds what clients and proxies read instead of error details to the trailers
// of a call that is about to end with the status; nothing for OK:
//
//   grpc-retry-pushback-ms  the RetryDelay. With retries in its service config,
//                           a client of gRPC repeats the call after exactly
//                           this time, and not at all if it is -1, which says
//                           that the same request fails again.
//   retry-after             the same in whole seconds, rounded up; for proxies
//   x-request-id            the name of the call in the logs
//
// (https://github.com/grpc/proposal/blob/master/A6-client-retries.md)
void AddTrailers(const absl::Status& status, const std::string& request_id,
                 grpc::ServerContextBase& context);

}  // namespace apollo
