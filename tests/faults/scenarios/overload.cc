#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "tests/faults/cluster/eventually.h"
#include "tests/faults/scenarios/scenario.h"
#include "tests/faults/streams/pauses.h"
#include "tests/faults/streams/stream_checks.h"

namespace apollo {
namespace {

// Sequences that a dense worker runs, and that may wait: with two workers less
// than half of the 28 of a round. As many wait as with the default of
// --max_waiting_per_running, so an admitted one waits for half the time that
// one runs.
constexpr int kRunning = 4;
constexpr int kWaiting = 2;

// The latency of admitted requests under overload, divided by that of the same
// kind of requests at a load that fills the workers.
constexpr double kMostLatency = 2;
// The time of a refusal, at most.
constexpr absl::Duration kAtOnce = absl::Milliseconds(250);

// Returns the times from the begin to the end of requests that have succeeded,
// or that have not. Only those with one choice: one with several, whose
// sequences need as many places at the same time, is served less often under
// overload, and takes longer.
Pauses Latencies(const std::vector<Transcript>& transcripts, bool succeeded) {
  Pauses latencies;
  for (const Transcript& transcript : transcripts) {
    if (transcript.choices.size() == 1 &&
        transcript.status->ok() == succeeded) {
      latencies.Add(transcript.end - transcript.begin);
    }
  }
  return latencies;
}

void Report(Trial& trial, const std::string& name, const Pauses& times) {
  for (const int percent : {50, 99}) {
    trial.outcome().figures[absl::StrCat(name, "_p", percent, "_seconds")] =
        absl::ToDoubleSeconds(times.Quantile(percent / 100.0));
  }
}

// Runs as many streams as both workers have places for. Returns the latencies.
Pauses RunCarried(Trial& trial, absl::Duration time) {
  trial.Say("runs what the cluster carries");
  std::vector<StreamPlan> plans;
  for (const StreamPlan& plan : trial.plans()) {
    if (plan.choices == 1 && std::ssize(plans) < 2 * kRunning) {
      plans.push_back(plan);
    }
  }
  RouterClient client(trial.Routers());
  StreamDriver driver(client, std::move(plans), {});
  absl::SleepFor(time);
  std::vector<Transcript> transcripts = driver.Finish();
  const Pauses latencies = Latencies(transcripts, /*succeeded=*/true);
  Report(trial, "carried_latency", latencies);
  trial.Check(std::move(transcripts));
  return latencies;
}

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
    RETURN_IF_ERROR(trial.cluster().Restart(
        name, {absl::StrCat("--max_running=", kRunning),
               absl::StrCat("--max_waiting=", kWaiting)}));
  }
  RETURN_IF_ERROR(trial.cluster().AwaitWhole());
  absl::Duration time = trial.settings().duration;
  if (time == absl::ZeroDuration()) {
    time = absl::Seconds(trial.long_run() ? 60 : 5);
  }
  const Pauses carried = RunCarried(trial, time / 2);
  trial.MarkFault("twice the sequences that are admitted");
  RouterClient client(trial.Routers());
  std::vector<Transcript> transcripts;
  {
    StreamDriver driver(client, trial.plans(), {.repeat_failed = true});
    absl::SleepFor(time);
    transcripts = driver.Finish();
  }
  const Pauses admitted = Latencies(transcripts, /*succeeded=*/true);
  const Pauses refused = Latencies(transcripts, /*succeeded=*/false);
  Report(trial, "admitted_latency", admitted);
  Report(trial, "refusal", refused);
  trial.AddBar("admitted_latency_p99_seconds", admitted.Quantile(0.99),
               kMostLatency * carried.Quantile(0.99));
  trial.AddBar("refusal_p99_seconds", refused.Quantile(0.99), kAtOnce);
  trial.Check(TakeServed(trial, std::move(transcripts)));
  // It recovers at once: what fits is admitted at the first attempt.
  trial.Say("the load ends");
  std::vector<StreamPlan> few = {trial.plans()[1], trial.plans()[2]};
  StreamDriver driver(client, std::move(few), {.rounds = 1});
  trial.Check(driver.Finish());
  trial.CheckGrowth();
  return absl::OkStatus();
}

}  // namespace apollo
