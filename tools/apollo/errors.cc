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

}  // namespace

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

std::string ErrorText(const grpc::Status& status, const std::string& server) {
  std::string text = absl::StrCat("error: ", CodeName(status.error_code()),
                                  ": ", status.error_message(), "\n");
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
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    absl::StrAppend(&text, "  The server is ", server,
                    " (change it with --server or APOLLO_SERVER).\n");
  }
  return ForTerminal(text);
}

std::string ErrorJson(const grpc::Status& status) {
  Json error = {{"code", CodeName(status.error_code())},
                {"message", status.error_message()}};
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
