#include "common/status_macros.h"
#include "tests/faults/scenarios/kill_moments.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {

// With 28 sequences of at most 192 tokens on three workers, a loss leaves at
// most 2,048 rows to compute again, unless they are spread very unevenly.
absl::Status KillExpertWorker(Trial& trial) {
  RETURN_IF_ERROR(trial.Deploy(trial.TwoHolders()));
  RETURN_IF_ERROR(KillAtMoments(trial, ProcessKind::kExpertWorker,
                                trial.long_run() ? 200 : 20));
  const Pauses pauses = trial.ReportPauses(absl::Seconds(2));
  trial.AddBar("pause_p99_seconds", pauses.Quantile(0.99),
               absl::Milliseconds(250));
  return absl::OkStatus();
}

}  // namespace apollo
