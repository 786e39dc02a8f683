#pragma once

#include <grpcpp/support/status.h>

#include <string>

namespace apollo::client {

// Returns the name of a canonical code, such as "INVALID_ARGUMENT".
std::string CodeName(grpc::StatusCode code);

// Formats a failed call for people: code and message, a line for each invalid
// field, and the retry delay. Names `server`, the address, if the server could
// not be reached. Ends with a line feed.
std::string ErrorText(const grpc::Status& status, const std::string& server);

// Formats a failed call as one JSON object without a line feed:
// {"error":{"code":..,"message":..,"field_violations":[{"field":..,
// "description":..}],"retry_after_seconds":..}}. The last two members are
// present only if known.
std::string ErrorJson(const grpc::Status& status);

}  // namespace apollo::client
