#include <absl/strings/str_cat.h>

#include "common/status_macros.h"
#include "tests/faults/scenarios/observation.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {
namespace {

constexpr absl::Duration kDelay = absl::Milliseconds(50);
constexpr double kLoss = 0.02;        // Of pieces of data, by a proxy.
constexpr double kPacketLoss = 0.01;  // By a network.

// The ends of the link.
std::string Dense() { return NameOf(ProcessKind::kDenseWorker, 0); }
std::string Expert() { return NameOf(ProcessKind::kExpertWorker, 0); }

// Answers whose workers are known: each choice of a request is a sequence of
// its own, which may have other workers than `started` names.
bool WorkersKnown(const Transcript& transcript) {
  return transcript.choices.size() == 1 && transcript.streams == 1;
}

// Of these, those whose experts are not behind the bad link, which joins the
// first dense worker to the first expert worker.
bool BesideTheLink(const Transcript& transcript) {
  const v1::ServingWorkers& workers = transcript.started.workers();
  return WorkersKnown(transcript) && (workers.dense_worker() != Dense() ||
                                      workers.expert_worker() != Expert());
}

bool BehindTheLink(const Transcript& transcript) {
  return WorkersKnown(transcript) && !BesideTheLink(transcript);
}

absl::Status BreakOften(Trial& trial) {
  Proxy& link = trial.cluster().Between(Dense(), Expert());
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

// Harms the link by delay, then by `loss`, and sees the streams beside it.
// `harm_more` follows, if any.
absl::Status HarmLink(Trial& trial, Joints joints, double loss,
                      absl::Status (*harm_more)(Trial& trial)) {
  Layout layout = trial.AllEverywhere(3);  // Rows need no other link.
  layout.joints = joints;
  RETURN_IF_ERROR(trial.Deploy(layout));
  Deployment& cluster = trial.cluster();
  trial.StartStreams();
  RETURN_IF_ERROR(AwaitMixedStreams(trial));
  ASSIGN_OR_RETURN(const Period plain, Observe(trial));
  trial.MarkFault("50 ms delay");
  cluster.SetDelay(Dense(), Expert(), kDelay);
  ASSIGN_OR_RETURN(const Period delayed, Observe(trial));
  trial.MarkFault(absl::StrCat("loss of ", 100 * loss, "%"));
  cluster.SetDelay(Dense(), Expert(), absl::ZeroDuration());
  cluster.SetLoss(Dense(), Expert(), loss);
  ASSIGN_OR_RETURN(const Period lossy, Observe(trial));
  cluster.HealLinks();
  RETURN_IF_ERROR(trial.AwaitEach());
  ASSIGN_OR_RETURN(const Period healed, Observe(trial));
  if (harm_more != nullptr) RETURN_IF_ERROR(harm_more(trial));
  trial.EndStreams();
  trial.CheckGrowth();
  const absl::Duration wanted =
      UndisturbedGapP99(trial, plain, healed, WorkersKnown);
  trial.outcome().figures["gap_p99_behind_delayed_link_seconds"] =
      absl::ToDoubleSeconds(GapP99(trial, {delayed}, BehindTheLink));
  trial.outcome().figures["gap_p99_behind_lossy_link_seconds"] =
      absl::ToDoubleSeconds(GapP99(trial, {lossy}, BehindTheLink));
  trial.ReportPauses(absl::Seconds(2));
  trial.AddBar("gap_p99_beside_delayed_link_seconds",
               GapP99(trial, {delayed}, BesideTheLink), 1.2 * wanted);
  trial.AddBar("gap_p99_beside_lossy_link_seconds",
               GapP99(trial, {lossy}, BesideTheLink), 1.2 * wanted);
  return absl::OkStatus();
}

}  // namespace

absl::Status HarmOneLink(Trial& trial) {
  return HarmLink(trial, Joints::kProxies, kLoss, BreakOften);
}

absl::Status HarmOneWire(Trial& trial) {
  return HarmLink(trial, Joints::kNetwork, kPacketLoss, nullptr);
}

}  // namespace apollo
