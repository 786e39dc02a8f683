#include <absl/strings/str_cat.h>

#include "common/status_macros.h"
#include "tests/faults/scenarios/observation.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {
namespace {

absl::Status HarmPeerLink(Trial& trial, Joints joints, double loss) {
  Layout layout = trial.TwoHolders();  // Rows can use another link.
  layout.joints = joints;
  RETURN_IF_ERROR(trial.Deploy(layout));
  const std::string a = NameOf(ProcessKind::kExpertWorker, 0);
  const std::string b = NameOf(ProcessKind::kExpertWorker, 1);
  trial.StartStreams();
  RETURN_IF_ERROR(AwaitMixedStreams(trial));
  ASSIGN_OR_RETURN(const Period plain, Observe(trial));
  trial.MarkFault(absl::StrCat("50 ms delay and loss of ", 100 * loss,
                               "% between two expert workers"));
  trial.cluster().SetDelay(a, b, absl::Milliseconds(50));
  trial.cluster().SetLoss(a, b, loss);
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

}  // namespace

absl::Status DelayAPeerLink(Trial& trial) {
  return HarmPeerLink(trial, Joints::kProxies, /*loss=*/0);
}

absl::Status HarmAPeerWire(Trial& trial) {
  return HarmPeerLink(trial, Joints::kNetwork, /*loss=*/0.01);
}

}  // namespace apollo
