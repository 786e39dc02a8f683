#include "dense_worker/run_flags.h"

#include <absl/flags/flag.h>

#include "common/status_macros.h"
#include "serving/flag_checks.h"

ABSL_FLAG(
    std::int64_t, run_output_bytes, apollo::RunLimits().output_bytes,
    "Bytes of unread events at which a sequence pauses until its router has "
    "read all but a quarter of them.");
ABSL_FLAG(absl::Duration, stalled_router_timeout,
          apollo::RunLimits().stalled_router_timeout,
          "Time after which a sequence ends if it is paused because its router "
          "reads nothing.");

namespace apollo {

absl::StatusOr<RunLimits> ReadRunFlags() {
  RunLimits limits;
  limits.output_bytes = absl::GetFlag(FLAGS_run_output_bytes);
  limits.stalled_router_timeout = absl::GetFlag(FLAGS_stalled_router_timeout);
  RETURN_IF_ERROR(CheckAtLeastOne("run_output_bytes", limits.output_bytes));
  RETURN_IF_ERROR(
      CheckAboveZero("stalled_router_timeout", limits.stalled_router_timeout));
  return limits;
}

}  // namespace apollo
