#include "router/options.h"

#include <absl/strings/str_cat.h>

#include "common/status_macros.h"
#include "serving/flag_checks.h"

namespace apollo {
namespace {

// A call without metadata of the client's own needs about 600 bytes.
constexpr int kLeastMetadataBytes = 1 << 10;
// Far more than any request needs; gRPC keeps the limit in an int.
constexpr int kMostMetadataBytes = 16 << 20;
constexpr std::int64_t kMostAuditMegabytes = 1'000'000;
constexpr int kMostAuditFiles = 1000;
constexpr int kMostStreams = 1'000'000;

// gRPC takes its times in whole milliseconds as an int, and silently uses its
// own defaults for 0 and for what does not fit.
absl::Status CheckSilentClientTimeout(absl::Duration value) {
  if (value >= absl::Seconds(1) && value <= absl::Hours(24)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--silent_client_timeout is ", absl::FormatDuration(value),
                   "; it must be from 1s to 24h"));
}

absl::Status CheckConnectionAge(absl::Duration value) {
  if (value == absl::InfiniteDuration() ||
      (value >= absl::Seconds(1) && value <= absl::Hours(500))) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--max_connection_age is ", absl::FormatDuration(value),
                   "; it must be from 1s to 500h, or inf for no limit"));
}

}  // namespace

absl::Status CheckRouterOptions(const RouterOptions& options) {
  const double threshold = options.model.language_threshold;
  // Written so that NaN fails.
  if (!(threshold >= 0 && threshold <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--language_threshold is ", threshold, "; it must be from 0 to 1"));
  }
  RETURN_IF_ERROR(CheckAtLeastOne("max_calls", options.calls.max_calls));
  RETURN_IF_ERROR(
      CheckAtLeastOne("call_output_bytes", options.calls.output_bytes));
  RETURN_IF_ERROR(CheckAboveZero("stalled_client_timeout",
                                 options.calls.stalled_client_timeout));
  RETURN_IF_ERROR(CheckSilentClientTimeout(options.silent_client_timeout));
  RETURN_IF_ERROR(CheckFromTo("max_streams_per_connection",
                              options.max_streams_per_connection, 1,
                              kMostStreams));
  RETURN_IF_ERROR(CheckConnectionAge(options.max_connection_age));
  RETURN_IF_ERROR(CheckFromTo("audit_max_megabytes",
                              options.audit.max_megabytes, 1,
                              kMostAuditMegabytes));
  RETURN_IF_ERROR(
      CheckFromTo("audit_files", options.audit.files, 2, kMostAuditFiles));
  RETURN_IF_ERROR(CheckAccessOptions(options.access));
  if (!options.clients_need_certificate && options.access.policy_file.empty()) {
    return absl::InvalidArgumentError(
        "--tls_client_auth=request needs --policy: otherwise everybody who can "
        "connect may call everything");
  }
  return CheckFromTo("max_metadata_bytes", options.max_metadata_bytes,
                     kLeastMetadataBytes, kMostMetadataBytes);
}

}  // namespace apollo
