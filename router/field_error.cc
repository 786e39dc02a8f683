#include "router/field_error.h"

#include <absl/strings/cord.h>
#include <absl/strings/str_cat.h>

#include "common/strings.h"
#include "proto/google/rpc/error_details.pb.h"

namespace apollo {
namespace {

constexpr char kFieldPayload[] = "apollo/field";
constexpr char kProblemPayload[] = "apollo/problem";

}  // namespace

absl::Status FieldError(std::string_view field, std::string_view problem) {
  absl::Status status = absl::InvalidArgumentError(
      absl::StrCat(ToAbsl(field), " ", ToAbsl(problem)));
  status.SetPayload(kFieldPayload, absl::Cord(ToAbsl(field)));
  status.SetPayload(kProblemPayload, absl::Cord(ToAbsl(problem)));
  return status;
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status details;
  if (const auto field = status.GetPayload(kFieldPayload)) {
    google::rpc::BadRequest bad;
    auto* violation = bad.add_field_violations();
    violation->set_field(std::string(*field));
    violation->set_description(
        std::string(*status.GetPayload(kProblemPayload)));
    details.add_details()->PackFrom(bad);
  } else if (status.code() == absl::StatusCode::kUnavailable ||
             status.code() == absl::StatusCode::kResourceExhausted) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(1);
    details.add_details()->PackFrom(retry);
  }
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message(status.message());
  if (details.details_size() == 0) return grpc::Status(code, message);
  details.set_code(static_cast<int>(code));
  details.set_message(message);
  return grpc::Status(code, message, details.SerializeAsString());
}

}  // namespace apollo
