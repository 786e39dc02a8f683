#include "common/status_macros.h"
#include "tests/faults/scenarios/observation.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {

absl::Status DelayAPeerLink(Trial& trial) {
  Layout layout = trial.TwoHolders();  // Rows can use another link.
  layout.proxied = true;
  RETURN_IF_ERROR(trial.Deploy(layout));
  const std::string a = NameOf(ProcessKind::kExpertWorker, 0);
  const std::string b = NameOf(ProcessKind::kExpertWorker, 1);
  trial.StartStreams();
  RETURN_IF_ERROR(AwaitMixedStreams(trial));
  ASSIGN_OR_RETURN(const Period plain, Observe(trial));
  trial.MarkFault("50 ms delay between two expert workers");
  // Both have dialled.
  trial.cluster().Between(a, b).SetDelay(absl::Milliseconds(50));
  trial.cluster().Between(b, a).SetDelay(absl::Milliseconds(50));
  ASSIGN_OR_RETURN(const Period delayed, Observe(trial));
  trial.cluster().HealLinks();
  RETURN_IF_ERROR(trial.AwaitEach());
  ASSIGN_OR_RETURN(const Period healed, Observe(trial));
  trial.EndStreams();
  trial.CheckGrowth();
  const absl::Duration undisturbed = UndisturbedGapP99(trial, plain, healed);
  trial.ReportPauses(absl::Seconds(2));
  trial.AddBar("gap_p99_seconds", GapP99(trial, {delayed}), 1.2 * undisturbed);
  return absl::OkStatus();
}

}  // namespace apollo
