#include "common/status_macros.h"
#include "tests/faults/cluster/eventually.h"
#include "tests/faults/scenarios/kill_moments.h"
#include "tests/faults/scenarios/scenario.h"
#include "tests/faults/streams/stream_checks.h"

namespace apollo {
namespace {

std::string Expert(int index) {
  return NameOf(ProcessKind::kExpertWorker, index);
}

// Expects a request to be refused at once.
void ExpectRefused(Trial& trial) {
  RouterClient client(trial.Routers());
  StreamDriver driver(client, {trial.plans()[1]}, {.rounds = 1});
  const std::vector<Transcript> refused = driver.Finish();
  const grpc::Status& status = *refused[0].status;
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE ||
      status.error_message().empty() || !HasRetryInfo(status)) {
    trial.outcome().AddProblems(
        {"without expert workers a request did not fail with UNAVAILABLE, a "
         "message and a RetryInfo: " +
         status.error_message()});
  }
  trial.AddBar("refused_after_seconds", refused[0].end - refused[0].begin,
               kLease + absl::Milliseconds(250));
}

// Checks what has failed since `fault`.
void CheckFailed(Trial& trial, const std::vector<Transcript>& transcripts,
                 absl::Duration fault) {
  Pauses failed;
  for (const Transcript& transcript : transcripts) {
    if (transcript.status->ok()) continue;
    if (transcript.status->error_code() != grpc::StatusCode::UNAVAILABLE ||
        transcript.status->error_message().empty()) {
      trial.outcome().AddProblems(
          {"a stream that lost its workers did not end with UNAVAILABLE and a "
           "message: " +
           transcript.status->error_message()});
    }
    failed.Add(transcript.end - fault);
  }
  if (failed.count() == 0) {
    trial.outcome().AddProblems({"no stream was running when all was lost"});
  }
  trial.AddBar("failed_after_seconds", failed.longest(),
               kLease + absl::Milliseconds(250));
}

}  // namespace

absl::Status LoseTwoWorkers(Trial& trial) {
  RETURN_IF_ERROR(trial.Deploy(trial.AllEverywhere(3)));
  trial.StartStreams();
  for (int i = 0; i < (trial.long_run() ? 50 : 3); ++i) {
    RETURN_IF_ERROR(trial.AwaitMoment());
    const int first = trial.Pick(3);
    RETURN_IF_ERROR(
        KillAndRestore(trial, {Expert(first), Expert((first + 1) % 3)}));
  }
  trial.EndStreams();
  trial.CheckGrowth();
  const Pauses pauses = trial.ReportPauses(absl::Seconds(2));
  trial.AddBar("pause_p99_seconds", pauses.Quantile(0.99),
               absl::Milliseconds(250));
  return absl::OkStatus();
}

absl::Status LoseAFamily(Trial& trial) {
  Layout layout = trial.AllEverywhere(2);
  layout.experts = SpreadExperts(trial.settings().experts, /*workers=*/2,
                                 /*holders=*/1);
  layout.expert_flags = {"--standby_megabytes=2048"};
  RETURN_IF_ERROR(trial.Deploy(layout));
  trial.StartStreams();
  for (int i = 0; i < (trial.long_run() ? 50 : 3); ++i) {
    RETURN_IF_ERROR(trial.AwaitMoment());
    RETURN_IF_ERROR(KillAndRestore(trial, {Expert(trial.Pick(2))}));
  }
  trial.EndStreams();
  trial.ReportPauses(absl::Seconds(5));
  return absl::OkStatus();
}

absl::Status LoseAllExpertWorkers(Trial& trial) {
  Layout layout = trial.AllEverywhere(2);
  RETURN_IF_ERROR(trial.Deploy(layout));
  RouterClient client(trial.Routers());
  StreamDriver driver(client, trial.plans(), {});
  if (!driver.WaitForEach({}, kPatience)) {
    return absl::UnavailableError("the streams do not begin");
  }
  trial.MarkFault("kill -9 of all expert workers");
  const absl::Duration fault = Now();
  for (int i = 0; i < 2; ++i) trial.cluster().Kill(Expert(i));
  const std::vector<Transcript> transcripts = driver.Finish();
  trial.CheckBeginnings(transcripts);
  CheckFailed(trial, transcripts, fault);
  ExpectRefused(trial);
  for (int i = 0; i < 2; ++i) {
    RETURN_IF_ERROR(trial.cluster().Restart(Expert(i)));
  }
  RETURN_IF_ERROR(trial.cluster().AwaitWhole());
  trial.StartStreams();
  trial.EndStreams();
  trial.CheckGrowth();
  return absl::OkStatus();
}

}  // namespace apollo
