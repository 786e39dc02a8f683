#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "common/status_macros.h"
#include "tests/faults/cluster/eventually.h"
#include "tests/faults/scenarios/scenario.h"
#include "tests/faults/streams/stream_checks.h"

namespace apollo {
namespace {

// Sequences that two dense workers take, at most: half of the 28 of a round.
constexpr char kRunning[] = "--max_running=4";
constexpr char kWaiting[] = "--max_waiting=3";

// Checks that refusals are polite, and returns the requests that were served.
std::vector<Transcript> TakeServed(Trial& trial,
                                   std::vector<Transcript> transcripts) {
  std::vector<Transcript> served;
  int refused = 0;
  for (Transcript& transcript : transcripts) {
    const grpc::Status& status = *transcript.status;
    if (status.ok()) {
      served.push_back(std::move(transcript));
      continue;
    }
    ++refused;
    if (status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED ||
        !HasRetryInfo(status)) {
      trial.outcome().AddProblems({absl::StrCat(
          "a refusal is not RESOURCE_EXHAUSTED with a RetryInfo, but code ",
          static_cast<int>(status.error_code()), ": ",
          status.error_message())});
    }
  }
  trial.outcome().figures["served"] = static_cast<double>(served.size());
  trial.outcome().figures["refused"] = refused;
  if (refused == 0) {
    trial.outcome().AddProblems({"nothing was refused: this was no overload"});
  }
  if (served.empty()) trial.outcome().AddProblems({"nothing was served"});
  return served;
}

}  // namespace

absl::Status Overload(Trial& trial) {
  Layout layout = trial.AllEverywhere(2);
  RETURN_IF_ERROR(trial.Deploy(layout));  // The reference needs them all.
  for (const char* name : {"dense-worker-0", "dense-worker-1"}) {
    RETURN_IF_ERROR(trial.cluster().Stop(name));
    RETURN_IF_ERROR(trial.cluster().Restart(name, {kRunning, kWaiting}));
  }
  RETURN_IF_ERROR(trial.cluster().AwaitWhole());
  absl::Duration time = trial.settings().duration;
  if (time == absl::ZeroDuration()) {
    time = absl::Seconds(trial.long_run() ? 60 : 5);
  }
  trial.MarkFault("twice the sequences that are admitted");
  RouterClient client(trial.Routers());
  std::vector<Transcript> served;
  {
    StreamDriver driver(client, trial.plans(), {.repeat_failed = true});
    absl::SleepFor(time);
    served = TakeServed(trial, driver.Finish());
  }
  trial.Check(std::move(served));
  // It recovers at once: what fits is admitted at the first attempt.
  trial.Say("the load ends");
  std::vector<StreamPlan> few = {trial.plans()[1], trial.plans()[2]};
  StreamDriver driver(client, std::move(few), {.rounds = 1});
  trial.Check(driver.Finish());
  trial.CheckGrowth();
  return absl::OkStatus();
}

}  // namespace apollo
