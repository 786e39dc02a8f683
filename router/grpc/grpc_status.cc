#include "router/grpc/grpc_status.h"

#include <string>

#include "proto/google/rpc/error_details.pb.h"
#include "router/request/field_error.h"

namespace apollo {

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status details;
  if (const auto problems = FieldProblemsOf(status); !problems.empty()) {
    google::rpc::BadRequest bad;
    for (const FieldProblem& problem : problems) {
      auto* violation = bad.add_field_violations();
      violation->set_field(problem.field);
      violation->set_description(problem.problem);
    }
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
