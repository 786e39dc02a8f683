#include "common/status_macros.h"
#include "tests/faults/scenarios/kill_moments.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {

absl::Status KillRouter(Trial& trial) {
  Layout layout = trial.TwoHolders();
  layout.routers = 2;
  RETURN_IF_ERROR(trial.Deploy(layout));
  RETURN_IF_ERROR(
      KillAtMoments(trial, ProcessKind::kRouter, trial.long_run() ? 100 : 6));
  trial.ReportPauses(absl::Seconds(2));
  return absl::OkStatus();
}

}  // namespace apollo
