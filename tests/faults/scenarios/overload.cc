#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <algorithm>
#include <iterator>
#include <map>
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
// The time of a refusal, and until everything is admitted again, at most.
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

// Checks that refusals are polite, counts both in figures, and returns the
// requests that were served.
std::vector<Transcript> TakeServed(Trial& trial, const std::string& load,
                                   std::vector<Transcript> transcripts) {
  std::vector<Transcript> served;
  for (Transcript& transcript : transcripts) {
    const grpc::Status& status = *transcript.status;
    if (status.ok()) {
      served.push_back(std::move(transcript));
    } else if (status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED ||
               !HasRetryInfo(status)) {
      trial.outcome().AddProblems({absl::StrCat(
          "a refusal is not RESOURCE_EXHAUSTED with a RetryInfo, but code ",
          static_cast<int>(status.error_code()), ": ",
          status.error_message())});
    }
  }
  std::map<std::string, double>& figures = trial.outcome().figures;
  figures[absl::StrCat(load, "_served")] = static_cast<double>(served.size());
  figures[absl::StrCat(load, "_refused")] =
      static_cast<double>(transcripts.size() - served.size());
  if (served.empty()) {
    trial.outcome().AddProblems({absl::StrCat("nothing was served: ", load)});
  }
  return served;
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
  // One worker has them all while the other stands still on a busy machine, and
  // refuses some.
  StreamDriver driver(client, std::move(plans), {.repeat_failed = true});
  absl::SleepFor(time);
  std::vector<Transcript> transcripts = driver.Finish();
  const Pauses latencies = Latencies(transcripts, /*succeeded=*/true);
  Report(trial, "carried_latency", latencies);
  trial.Check(TakeServed(trial, "carried", std::move(transcripts)));
  return latencies;
}

// Runs more than the workers admit, and adds the bars.
void RunOverload(Trial& trial, absl::Duration time, const Pauses& carried) {
  trial.MarkFault("twice the sequences that are admitted");
  RouterClient client(trial.Routers());
  StreamDriver driver(client, trial.plans(), {.repeat_failed = true});
  absl::SleepFor(time);
  std::vector<Transcript> transcripts = driver.Finish();
  const Pauses admitted = Latencies(transcripts, /*succeeded=*/true);
  const Pauses refused = Latencies(transcripts, /*succeeded=*/false);
  Report(trial, "admitted_latency", admitted);
  Report(trial, "refusal", refused);
  trial.AddBar("admitted_latency_p99_seconds", admitted.Quantile(0.99),
               kMostLatency * carried.Quantile(0.99));
  trial.AddBar("refusal_p99_seconds", refused.Quantile(0.99), kAtOnce);
  trial.Check(TakeServed(trial, "overload", std::move(transcripts)));
  if (refused.count() == 0) {
    trial.outcome().AddProblems({"nothing was refused: this was no overload"});
  }
}

// Runs what fits until all of it is admitted: at the first attempt, unless the
// machine is so busy that the ends of the refused ones are still on their way.
void Recover(Trial& trial) {
  trial.Say("the load ends");
  const absl::Duration end = Now();
  RouterClient client(trial.Routers());
  for (;;) {
    std::vector<StreamPlan> few = {trial.plans()[1], trial.plans()[2]};
    const absl::Duration begin = Now();
    StreamDriver driver(client, std::move(few), {.rounds = 1});
    std::vector<Transcript> transcripts = driver.Finish();
    const bool refused = std::any_of(
        transcripts.begin(), transcripts.end(), [](const Transcript& one) {
          return one.status->error_code() ==
                 grpc::StatusCode::RESOURCE_EXHAUSTED;
        });
    if (refused && Now() - end < kPatience) {
      absl::SleepFor(absl::Milliseconds(20));
      continue;
    }
    trial.AddBar("recovered_after_seconds", begin - end, kAtOnce);
    return trial.Check(std::move(transcripts));
  }
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
  RunOverload(trial, time, carried);
  Recover(trial);
  trial.CheckGrowth();
  return absl::OkStatus();
}

}  // namespace apollo
