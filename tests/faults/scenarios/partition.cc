#include <absl/time/clock.h>

#include "common/status_macros.h"
#include "tests/faults/scenarios/scenario.h"
#include "tests/faults/scenarios/serving_again.h"

namespace apollo {
namespace {

enum class Lost { kForth, kBack, kBoth };

absl::Status PartitionOne(Trial& trial, const std::string& a,
                          const std::string& b, Lost lost) {
  RETURN_IF_ERROR(trial.AwaitMoment());
  const char* const arrow = lost == Lost::kForth  ? " -> "
                            : lost == Lost::kBack ? " <- "
                                                  : " <-> ";
  trial.MarkFault("nothing passes " + a + arrow + b);
  if (lost != Lost::kBack) trial.cluster().Partition(a, b);
  if (lost != Lost::kForth) trial.cluster().Partition(b, a);
  absl::SleepFor(absl::Seconds(trial.long_run() ? 10 : 1));
  RETURN_IF_ERROR(trial.AwaitEach());
  trial.cluster().HealLinks();
  RETURN_IF_ERROR(trial.cluster().AwaitWhole());
  return AwaitServing(trial, b);
}

absl::Status PartitionPairs(Trial& trial, Joints joints) {
  Layout layout = trial.TwoHolders();
  layout.joints = joints;
  RETURN_IF_ERROR(trial.Deploy(layout));
  trial.StartStreams();
  const std::string router = NameOf(ProcessKind::kRouter, 0);
  const std::string dense = NameOf(ProcessKind::kDenseWorker, 0);
  const std::string expert = NameOf(ProcessKind::kExpertWorker, 0);
  const std::string other = NameOf(ProcessKind::kExpertWorker, 1);
  for (int round = 0; round < (trial.long_run() ? 5 : 1); ++round) {
    for (const auto& [a, b] :
         {std::pair(router, dense), std::pair(dense, expert),
          std::pair(other, expert)}) {
      for (const Lost lost : {Lost::kBoth, Lost::kForth, Lost::kBack}) {
        RETURN_IF_ERROR(PartitionOne(trial, a, b, lost));
      }
    }
  }
  trial.EndStreams();
  trial.CheckGrowth();
  const Pauses pauses = trial.ReportPauses(absl::Seconds(2));
  trial.AddBar("pause_p99_seconds", pauses.Quantile(0.99),
               kLease + absl::Milliseconds(250));
  return absl::OkStatus();
}

}  // namespace

absl::Status PartitionEachPair(Trial& trial) {
  return PartitionPairs(trial, Joints::kProxies);
}

absl::Status CutNetwork(Trial& trial) {
  return PartitionPairs(trial, Joints::kNetwork);
}

}  // namespace apollo
