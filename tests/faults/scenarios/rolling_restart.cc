#include "common/status_macros.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {
namespace {

// Stops and starts each of these while the streams run.
absl::Status RestartEach(Trial& trial, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    RETURN_IF_ERROR(trial.AwaitEach());
    trial.MarkFault("SIGTERM " + name);
    RETURN_IF_ERROR(trial.cluster().Stop(name));
    RETURN_IF_ERROR(trial.cluster().Restart(name));
    RETURN_IF_ERROR(trial.cluster().AwaitWhole());
  }
  return absl::OkStatus();
}

}  // namespace

// Clients do not see the restart of a worker. While a router restarts, they go
// to the other one.
absl::Status RestartInTurn(Trial& trial) {
  Layout layout = trial.TwoHolders();
  layout.routers = 2;
  RETURN_IF_ERROR(trial.Deploy(layout));
  for (int round = 0; round < (trial.long_run() ? 2 : 1); ++round) {
    for (const ProcessKind kind :
         {ProcessKind::kExpertWorker, ProcessKind::kDenseWorker,
          ProcessKind::kRouter}) {
      trial.StartStreams(kind == ProcessKind::kRouter ? Trial::Client::kResume
                                                      : Trial::Client::kPlain);
      RETURN_IF_ERROR(RestartEach(trial, NamesOf(layout, kind)));
      trial.EndStreams();
    }
  }
  trial.ReportPauses(absl::Seconds(30));
  return absl::OkStatus();
}

}  // namespace apollo
