#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <iterator>

#include "common/status_macros.h"
#include "tests/faults/cluster/eventually.h"
#include "tests/faults/scenarios/kill_moments.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {
namespace {

constexpr ProcessKind kKinds[] = {ProcessKind::kExpertWorker,
                                  ProcessKind::kDenseWorker,
                                  ProcessKind::kRouter};

std::string AnyProcess(Trial& trial) {
  return trial.PickProcess(
      kKinds[static_cast<std::size_t>(trial.Pick(std::size(kKinds)))]);
}

struct Link {
  std::string from, to;
};

// Returns a random pair of processes, one of which dials the other.
Link AnyLink(Trial& trial) {
  for (;;) {
    const Link link = {AnyProcess(trial), AnyProcess(trial)};
    if (Dials(link.from, link.to)) return link;
  }
}

absl::Status Kill(Trial& trial) {
  return KillAndRestore(trial, {AnyProcess(trial)});
}

absl::Status Freeze(Trial& trial) {
  const std::string name = AnyProcess(trial);
  const auto time = absl::Milliseconds(100 + trial.Pick(1500));
  trial.MarkFault(
      absl::StrCat("SIGSTOP ", name, " for ", absl::FormatDuration(time)));
  trial.cluster().Freeze(name);
  absl::SleepFor(time);
  trial.cluster().Thaw(name);
  return trial.AwaitEach();
}

absl::Status Restart(Trial& trial) {
  const std::string name = AnyProcess(trial);
  trial.MarkFault("SIGTERM " + name);
  RETURN_IF_ERROR(trial.cluster().Stop(name));
  return trial.cluster().Restart(name);
}

absl::Status Partition(Trial& trial) {
  const auto [from, to] = AnyLink(trial);
  trial.MarkFault("a partition between " + from + " and " + to);
  const int ways = 1 + trial.Pick(3);  // A bit for each.
  if ((ways & 1) != 0) trial.cluster().Partition(from, to);
  if ((ways & 2) != 0) trial.cluster().Partition(to, from);
  RETURN_IF_ERROR(trial.AwaitEach());
  return trial.AwaitEach();
}

absl::Status HarmLink(Trial& trial) {
  const auto [from, to] = AnyLink(trial);
  Proxy& link = trial.cluster().Between(from, to);
  const int kind = trial.Pick(4);
  constexpr const char* kNames[] = {"a reset", "a truncation", "a delay",
                                    "a loss"};
  trial.MarkFault(absl::StrCat(kNames[kind], " of ", from, " to ", to));
  if (kind == 0) link.Cut();
  if (kind == 1) link.TruncateAfter(Way::kToTarget, trial.Pick(2000));
  if (kind == 2) link.SetDelay(absl::Milliseconds(trial.Pick(100)));
  if (kind == 3) link.SetLoss(0.1);
  RETURN_IF_ERROR(trial.AwaitEach());
  return trial.AwaitEach();
}

// Some clients that leave in the middle of their answers.
absl::Status Leave(Trial& trial) {
  trial.MarkFault("clients that leave");
  RouterClient client(trial.Routers());
  std::vector<StreamPlan> plans(trial.plans().begin(),
                                trial.plans().begin() + 4);
  StreamDriver driver(client, plans, {.rounds = 1});
  driver.WaitForTokens(1 + trial.Pick(100), absl::Seconds(1));
  for (const StreamPlan& plan : plans) driver.Cancel(plan.slot);
  trial.CheckBeginnings(driver.Finish());
  return absl::OkStatus();
}

}  // namespace

// The order and the kinds of faults are the same for the same seed; moments
// depend on the tokens received, so they are nearly the same.
absl::Status MixFaults(Trial& trial) {
  Layout layout = trial.TwoHolders();
  layout.routers = 2;
  layout.joints = Joints::kProxies;
  RETURN_IF_ERROR(trial.Deploy(layout));
  absl::Duration time = trial.settings().duration;
  if (time == absl::ZeroDuration()) {
    time = absl::Seconds(trial.long_run() ? 600 : 30);
  }
  constexpr absl::Status (*kFaults[])(Trial&) = {
      Kill, Kill, Freeze, Restart, Partition, HarmLink, HarmLink, Leave};
  trial.StartStreams(Trial::Client::kResume);
  const absl::Duration end = Now() + time;
  while (Now() < end) {
    RETURN_IF_ERROR(trial.AwaitMoment());
    RETURN_IF_ERROR(kFaults[trial.Pick(std::size(kFaults))](trial));
    trial.cluster().HealLinks();
    RETURN_IF_ERROR(trial.cluster().AwaitWhole());
  }
  trial.EndStreams();
  trial.CheckGrowth();
  trial.ReportPauses(absl::Seconds(2));
  return absl::OkStatus();
}

}  // namespace apollo
