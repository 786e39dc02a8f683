#include "common/status_macros.h"
#include "tests/faults/scenarios/observation.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {
namespace {

constexpr absl::Duration kDelay = absl::Milliseconds(50);
constexpr double kLoss = 0.02;

// Answers whose workers are known: each choice of a request is a sequence of
// its own, which may have other workers than `started` names.
bool WorkersKnown(const Transcript& transcript) {
  return transcript.choices.size() == 1 && transcript.streams == 1;
}

// Of these, those whose experts are not behind the bad link, which joins the
// first dense worker to the first expert worker.
bool BesideTheLink(const Transcript& transcript) {
  const v1::ServingWorkers& workers = transcript.started.workers();
  return WorkersKnown(transcript) &&
         (workers.dense_worker() != NameOf(ProcessKind::kDenseWorker, 0) ||
          workers.expert_worker() != NameOf(ProcessKind::kExpertWorker, 0));
}

bool BehindTheLink(const Transcript& transcript) {
  return WorkersKnown(transcript) && !BesideTheLink(transcript);
}

absl::Status BreakOften(Trial& trial, Proxy& link) {
  for (int i = 0; i < (trial.long_run() ? 50 : 5); ++i) {
    RETURN_IF_ERROR(trial.AwaitMoment());
    const bool cut = trial.Pick(2) == 0;
    trial.MarkFault(cut ? "a reset of the link" : "a truncated frame");
    if (cut) {
      link.Cut();
    } else {
      link.TruncateAfter(trial.Pick(2) == 0 ? Way::kToTarget : Way::kToClient,
                         trial.Pick(2000));
    }
    RETURN_IF_ERROR(trial.AwaitEach());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status HarmOneLink(Trial& trial) {
  Layout layout = trial.AllEverywhere(3);  // Rows need no other link.
  layout.proxied = true;
  RETURN_IF_ERROR(trial.Deploy(layout));
  Proxy& link = trial.cluster().Between(NameOf(ProcessKind::kDenseWorker, 0),
                                        NameOf(ProcessKind::kExpertWorker, 0));
  trial.StartStreams();
  RETURN_IF_ERROR(AwaitMixedStreams(trial));
  ASSIGN_OR_RETURN(const Period plain, Observe(trial));
  trial.MarkFault("50 ms delay");
  link.SetDelay(kDelay);
  ASSIGN_OR_RETURN(const Period delayed, Observe(trial));
  trial.MarkFault("loss of 2%");
  link.SetDelay(absl::ZeroDuration());
  link.SetLoss(kLoss);
  ASSIGN_OR_RETURN(const Period lossy, Observe(trial));
  link.Heal();
  RETURN_IF_ERROR(trial.AwaitEach());
  ASSIGN_OR_RETURN(const Period healed, Observe(trial));
  RETURN_IF_ERROR(BreakOften(trial, link));
  trial.EndStreams();
  trial.CheckGrowth();
  const absl::Duration wanted =
      UndisturbedGapP99(trial, plain, healed, WorkersKnown);
  trial.outcome().figures["gap_p99_behind_delayed_link_seconds"] =
      absl::ToDoubleSeconds(GapP99(trial, {delayed}, BehindTheLink));
  trial.ReportPauses(absl::Seconds(2));
  trial.AddBar("gap_p99_beside_delayed_link_seconds",
               GapP99(trial, {delayed}, BesideTheLink), 1.2 * wanted);
  trial.AddBar("gap_p99_beside_lossy_link_seconds",
               GapP99(trial, {lossy}, BesideTheLink), 1.2 * wanted);
  return absl::OkStatus();
}

}  // namespace apollo
