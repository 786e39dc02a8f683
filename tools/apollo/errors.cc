#include "tools/apollo/errors.h"

#include <absl/strings/str_cat.h>

#include <optional>
#include <vector>

#include "common/json.h"
#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"
#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

struct Details {
  std::vector<rpc::BadRequest::FieldViolation> violations;
  std::optional<double> retry_after_seconds;
};

// Omits details that cannot be parsed; the message remains.
Details ReadDetails(const grpc::Status& status) {
  Details details;
  rpc::Status packed;
  if (!packed.ParseFromString(status.error_details())) return details;
  for (const google::protobuf::Any& any : packed.details()) {
    rpc::BadRequest bad_request;
    rpc::RetryInfo retry;
    if (rpc::Unpack(any, &bad_request)) {
      details.violations.insert(details.violations.end(),
                                bad_request.field_violations().begin(),
                                bad_request.field_violations().end());
    } else if (rpc::Unpack(any, &retry)) {
      details.retry_after_seconds =
          retry.retry_delay().seconds() + retry.retry_delay().nanos() * 1e-9;
    }
  }
  return details;
}

// Returns the message without the layers that gRPC has put around it.
std::string Message(const Failure& failure) {
  const std::string& message = failure.status.error_message();
  if (failure.answered || message.rfind("failed to connect", 0) != 0) {
    return message;
  }
  const std::size_t colon = message.rfind(": ");
  return absl::StrCat("no connection to the server",
                      colon == std::string::npos ? "" : message.substr(colon));
}

// Returns what the user can do, as indented lines.
std::string Advice(const Failure& failure, const std::string& server) {
  const grpc::StatusCode code = failure.status.error_code();
  if (code == grpc::StatusCode::UNAVAILABLE && failure.answered) {
    return "  The router answers, but cannot serve this now. \"apollo status\" "
           "shows which\n  processes of the cluster are missing.\n";
  }
  if (code == grpc::StatusCode::UNAVAILABLE) {
    return absl::StrCat(
        "  The server is ", server,
        " (change it with --server or APOLLO_SERVER). It does not\n  run, "
        "cannot be reached, or has closed the connection.\n");
  }
  if (code == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return "  --timeout sets the limit, in seconds.\n";
  }
  if (code == grpc::StatusCode::UNIMPLEMENTED) {
    return absl::StrCat("  ", server,
                        " is no router, or one of an older version. The "
                        "client needs the router's\n  address: --server or "
                        "APOLLO_SERVER.\n");
  }
  return "";
}

}  // namespace

bool HasDetails(const grpc::Status& status) {
  return !status.error_details().empty();
}

std::string CodeName(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return "OK";
    case grpc::StatusCode::CANCELLED:
      return "CANCELLED";
    case grpc::StatusCode::UNKNOWN:
      return "UNKNOWN";
    case grpc::StatusCode::INVALID_ARGUMENT:
      return "INVALID_ARGUMENT";
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return "DEADLINE_EXCEEDED";
    case grpc::StatusCode::NOT_FOUND:
      return "NOT_FOUND";
    case grpc::StatusCode::ALREADY_EXISTS:
      return "ALREADY_EXISTS";
    case grpc::StatusCode::PERMISSION_DENIED:
      return "PERMISSION_DENIED";
    case grpc::StatusCode::UNAUTHENTICATED:
      return "UNAUTHENTICATED";
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return "RESOURCE_EXHAUSTED";
    case grpc::StatusCode::FAILED_PRECONDITION:
      return "FAILED_PRECONDITION";
    case grpc::StatusCode::ABORTED:
      return "ABORTED";
    case grpc::StatusCode::OUT_OF_RANGE:
      return "OUT_OF_RANGE";
    case grpc::StatusCode::UNIMPLEMENTED:
      return "UNIMPLEMENTED";
    case grpc::StatusCode::INTERNAL:
      return "INTERNAL";
    case grpc::StatusCode::UNAVAILABLE:
      return "UNAVAILABLE";
    case grpc::StatusCode::DATA_LOSS:
      return "DATA_LOSS";
    default:
      return absl::StrCat("code ", static_cast<int>(code));
  }
}

std::string ErrorText(const Failure& failure, const std::string& server) {
  const grpc::Status& status = failure.status;
  std::string text = absl::StrCat("error: ", CodeName(status.error_code()),
                                  ": ", Message(failure), "\n");
  const Details details = ReadDetails(status);
  for (const auto& violation : details.violations) {
    // A single violation may repeat the message.
    if (status.error_message() ==
        absl::StrCat(violation.field(), " ", violation.description())) {
      continue;
    }
    absl::StrAppend(&text, "  ", violation.field(), ": ",
                    violation.description(), "\n");
  }
  if (details.retry_after_seconds) {
    absl::StrAppend(&text, "  Try again in ", *details.retry_after_seconds,
                    " s.\n");
  }
  absl::StrAppend(&text, Advice(failure, server));
  if (!failure.request_id.empty()) {
    absl::StrAppend(&text, "  In the logs, the request is ", failure.request_id,
                    ".\n");
  }
  return ForTerminal(text);
}

std::string ErrorJson(const Failure& failure) {
  const grpc::Status& status = failure.status;
  Json error = {{"code", CodeName(status.error_code())},
                {"message", status.error_message()}};
  if (!failure.request_id.empty()) error["request_id"] = failure.request_id;
  const Details details = ReadDetails(status);
  for (const auto& violation : details.violations) {
    error["field_violations"].push_back(
        {{"field", violation.field()},
         {"description", violation.description()}});
  }
  if (details.retry_after_seconds) {
    error["retry_after_seconds"] = *details.retry_after_seconds;
  }
  // A message from the network may contain any bytes.
  return Json{{"error", std::move(error)}}.dump(-1, ' ', false,
                                                Json::error_handler_t::replace);
}

}  // namespace apollo::client
