#include "common/status_macros.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {

// Also a router loses no request: its clients go to the other one.
absl::Status RestartInTurn(Trial& trial) {
  Layout layout = trial.TwoHolders();
  layout.routers = 2;
  RETURN_IF_ERROR(trial.Deploy(layout));
  trial.StartStreams();
  for (int round = 0; round < (trial.long_run() ? 2 : 1); ++round) {
    for (const std::string& name : NamesOf(trial.cluster().layout())) {
      RETURN_IF_ERROR(trial.AwaitEach());
      trial.MarkFault("SIGTERM " + name);
      RETURN_IF_ERROR(trial.cluster().Stop(name));
      RETURN_IF_ERROR(trial.cluster().Restart(name));
      RETURN_IF_ERROR(trial.cluster().AwaitWhole());
    }
  }
  trial.EndStreams();
  trial.ReportPauses(absl::Seconds(30));
  return absl::OkStatus();
}

}  // namespace apollo
