#include "router/grpc/grpc_status.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdint>
#include <functional>

#include "common/retry_hint.h"
#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"
#include "router/access/quota_refusal.h"
#include "router/request/field_error.h"

namespace apollo {
namespace {

// Returns true if the same request would fail again.
bool IsFinal(absl::StatusCode code) {
  return code == absl::StatusCode::kInvalidArgument ||
         code == absl::StatusCode::kFailedPrecondition ||
         code == absl::StatusCode::kOutOfRange ||
         code == absl::StatusCode::kUnimplemented;
}

}  // namespace

std::optional<absl::Duration> RetryDelay(const absl::Status& status,
                                         const std::string& request_id) {
  if (status.code() != absl::StatusCode::kUnavailable &&
      status.code() != absl::StatusCode::kResourceExhausted) {
    return std::nullopt;
  }
  const std::size_t spread =
      request_id.empty() ? 0 : std::hash<std::string>()(request_id) % 1001;
  const absl::Duration least = std::max(
      absl::Seconds(1), RetryHintOf(status).value_or(absl::ZeroDuration()));
  return least + least * static_cast<std::int64_t>(spread) / 1000;
}

grpc::Status ToGrpcStatus(const absl::Status& status,
                          const std::string& request_id) {
  if (status.ok()) return grpc::Status::OK;
  rpc::Status details;
  if (const auto problems = FieldProblemsOf(status); !problems.empty()) {
    rpc::BadRequest bad;
    for (const FieldProblem& problem : problems) {
      auto* violation = bad.add_field_violations();
      violation->set_field(problem.field);
      violation->set_description(problem.problem);
    }
    rpc::Pack(bad, details.add_details());
  } else if (const auto delay = RetryDelay(status, request_id)) {
    rpc::RetryInfo retry;
    const std::int64_t seconds = absl::ToInt64Seconds(*delay);
    retry.mutable_retry_delay()->set_seconds(seconds);
    retry.mutable_retry_delay()->set_nanos(static_cast<int>(
        absl::ToInt64Nanoseconds(*delay - absl::Seconds(seconds))));
    rpc::Pack(retry, details.add_details());
    if (const auto quota = QuotaViolationOf(status)) {
      rpc::QuotaFailure failure;
      auto* violation = failure.add_violations();
      violation->set_subject(quota->subject);
      violation->set_description(quota->description);
      rpc::Pack(failure, details.add_details());
    }
  }
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message(status.message());
  if (details.details_size() == 0) return grpc::Status(code, message);
  details.set_code(static_cast<int>(code));
  details.set_message(message);
  return grpc::Status(code, message, details.SerializeAsString());
}

void AddTrailers(const absl::Status& status, const std::string& request_id,
                 grpc::ServerContextBase& context) {
  if (status.ok()) return;
  if (!request_id.empty()) {
    context.AddTrailingMetadata("x-request-id", request_id);
  }
  if (const auto delay = RetryDelay(status, request_id)) {
    context.AddTrailingMetadata(
        "grpc-retry-pushback-ms",
        absl::StrCat(absl::ToInt64Milliseconds(*delay)));
    context.AddTrailingMetadata("retry-after",
                                absl::StrCat(absl::ToInt64Seconds(
                                    absl::Ceil(*delay, absl::Seconds(1)))));
  } else if (IsFinal(status.code())) {
    context.AddTrailingMetadata("grpc-retry-pushback-ms", "-1");
  }
}

}  // namespace apollo
