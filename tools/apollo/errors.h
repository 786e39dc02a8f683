#pragma once

#include <grpcpp/support/status.h>

#include <string>

namespace apollo::client {

// Name of a canonical code, such as "INVALID_ARGUMENT".
std::string CodeName(grpc::StatusCode code);

// A failed call for a person: code and message, then a line for each field that
// the server found wrong, and when to try again. `server` is the address, named
// where the server could not be reached. Ends with a line feed.
std::string ErrorText(const grpc::Status& status, const std::string& server);

// The same as one JSON object without a line feed:
// {"error":{"code":..,"message":..,"field_violations":[{"field":..,
// "description":..}],"retry_after_seconds":..}}; the last two only if known.
std::string ErrorJson(const grpc::Status& status);

}  // namespace apollo::client
