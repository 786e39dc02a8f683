#include "dense_worker/run_flags.h"

#include <absl/flags/flag.h>

#include "common/status_macros.h"
#include "serving/flag_checks.h"

ABSL_FLAG(std::int64_t, run_output_bytes, apollo::RunLimits().output_bytes,
          "Events of one sequence that its router has not taken, in bytes, at "
          "which the sequence rests until a quarter of them is left.");
ABSL_FLAG(absl::Duration, stalled_router_timeout,
          apollo::RunLimits().stalled_router_timeout,
          "How long a sequence whose router takes nothing rests before it "
          "ends.");

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
