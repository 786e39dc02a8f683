#pragma once

#include <grpcpp/support/status.h>

#include <string>

namespace apollo::client {

// A call that has failed.
struct Failure {
  grpc::Status status;
  // The name of the request in the logs of all processes; empty: unknown.
  std::string request_id = {};
  // A server of the cluster has sent the status. Otherwise it comes from gRPC,
  // which has lost the server or never reached it.
  bool answered = false;
};

// Returns true if the details of a status show that a server of the cluster has
// sent it.
bool HasDetails(const grpc::Status& status);

// Returns the name of a canonical code, such as "INVALID_ARGUMENT".
std::string CodeName(grpc::StatusCode code);

// Formats a failed call for people: code and message, a line for each invalid
// field, advice, and the id of the request. `server` is the address that was
// called. Ends with a line feed.
std::string ErrorText(const Failure& failure, const std::string& server);

// Formats a failed call as one JSON object without a line feed:
// {"error":{"code":..,"message":..,"request_id":..,"field_violations":[
// {"field":..,"description":..}],"retry_after_seconds":..}}. The last three
// members are present only if known.
std::string ErrorJson(const Failure& failure);

}  // namespace apollo::client
