#include <absl/time/clock.h>

#include "common/status_macros.h"
#include "tests/faults/cluster/eventually.h"
#include "tests/faults/scenarios/scenario.h"
#include "tests/faults/scenarios/serving_again.h"

namespace apollo {
namespace {

// Streams begin at router `slot` modulo 2, and those at the second one freeze
// with it.
bool AtFirstRouter(const Transcript& transcript) {
  return transcript.slot % 2 == 0;
}

std::set<int> SlotsAtFirstRouter(const Trial& trial) {
  std::set<int> slots;
  for (const StreamPlan& plan : trial.plans()) {
    if (plan.slot % 2 == 0) slots.insert(plan.slot);
  }
  return slots;
}

absl::Status FreezeOne(Trial& trial, const std::string& name,
                       absl::Duration time) {
  const bool router = KindOf(name) == ProcessKind::kRouter;
  RETURN_IF_ERROR(trial.AwaitMoment());
  trial.MarkFault("SIGSTOP " + name);
  trial.cluster().Freeze(name);
  const absl::Duration end = Now() + time;
  RETURN_IF_ERROR(
      trial.AwaitEach(router ? SlotsAtFirstRouter(trial) : std::set<int>()));
  absl::SleepFor(end - Now());
  trial.Say("SIGCONT " + name);
  trial.cluster().Thaw(name);
  RETURN_IF_ERROR(trial.AwaitEach());
  RETURN_IF_ERROR(trial.cluster().AwaitWhole());
  return AwaitServing(trial, name);
}

}  // namespace

absl::Status FreezeEachRole(Trial& trial) {
  Layout layout = trial.TwoHolders();
  layout.routers = 2;
  RETURN_IF_ERROR(trial.Deploy(layout));
  trial.StartStreams();
  const absl::Duration time = absl::Seconds(trial.long_run() ? 30 : 3);
  for (int round = 0; round < (trial.long_run() ? 3 : 1); ++round) {
    for (const ProcessKind kind :
         {ProcessKind::kExpertWorker, ProcessKind::kDenseWorker,
          ProcessKind::kRouter}) {
      RETURN_IF_ERROR(FreezeOne(trial, NameOf(kind, 1), time));
    }
  }
  trial.EndStreams();
  trial.CheckGrowth();
  const Pauses pauses = trial.ReportPauses(time, AtFirstRouter);
  trial.AddBar("pause_p99_seconds", pauses.Quantile(0.99),
               kLease + absl::Milliseconds(250));
  return absl::OkStatus();
}

}  // namespace apollo
