#include "link/status_codec.h"

#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/retry_hint.h"
#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"

namespace apollo {
namespace {

// A longer time than any worker estimates; others are not believed.
constexpr std::int64_t kMostSeconds = 3600;

std::optional<absl::Duration> RetryDelayIn(const std::string& details) {
  rpc::Status status;
  if (!status.ParseFromString(details)) return std::nullopt;
  for (const auto& detail : status.details()) {
    rpc::RetryInfo info;
    if (!rpc::Unpack(detail, &info)) continue;
    const auto& delay = info.retry_delay();
    if (delay.seconds() < 0 || delay.seconds() > kMostSeconds) continue;
    const absl::Duration time =
        absl::Seconds(delay.seconds()) + absl::Nanoseconds(delay.nanos());
    if (time > absl::ZeroDuration()) return time;
  }
  return std::nullopt;
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message(status.message());
  const std::optional<absl::Duration> hint = RetryHintOf(status);
  if (!hint) return grpc::Status(code, message);
  rpc::RetryInfo info;
  const std::int64_t seconds = absl::ToInt64Seconds(*hint);
  info.mutable_retry_delay()->set_seconds(seconds);
  info.mutable_retry_delay()->set_nanos(static_cast<int>(
      absl::ToInt64Nanoseconds(*hint - absl::Seconds(seconds))));
  rpc::Status details;
  details.set_code(static_cast<int>(code));
  details.set_message(message);
  rpc::Pack(info, details.add_details());
  return grpc::Status(code, message, details.SerializeAsString());
}

absl::Status FromGrpc(const grpc::Status& status) {
  absl::Status out(static_cast<absl::StatusCode>(status.error_code()),
                   status.error_message());
  if (out.ok()) return out;
  if (const auto delay = RetryDelayIn(status.error_details())) {
    SetRetryHint(*delay, out);
  }
  return out;
}

}  // namespace apollo
