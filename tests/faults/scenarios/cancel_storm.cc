#include <absl/strings/str_cat.h>

#include <algorithm>

#include "common/status_macros.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {
namespace {

// Clients at the same time.
constexpr int kWave = 50;

enum class Leave { kCancel, kBreak };

// Runs a wave of clients that all leave in the middle.
absl::Status RunWave(Trial& trial, Leave leave) {
  std::vector<StreamPlan> plans;
  for (int i = 0; i < kWave; ++i) {
    const auto slot = static_cast<std::size_t>(
        trial.Pick(static_cast<int>(trial.plans().size())));
    plans.push_back(trial.plans()[slot]);
  }
  RouterClient client(trial.Routers(), {.own_channels = true});
  StreamDriver driver(client, std::move(plans), {.rounds = 1});
  if (!driver.WaitForTokens(1 + trial.Pick(5 * kWave), kPatience)) {
    return absl::UnavailableError("the clients get no tokens");
  }
  trial.MarkFault(leave == Leave::kCancel ? "all clients cancel"
                                          : "all connections of clients break");
  if (leave == Leave::kCancel) {
    for (const StreamPlan& plan : trial.plans()) driver.Cancel(plan.slot);
  } else {
    trial.cluster().Between("client", NameOf(ProcessKind::kRouter, 0)).Cut();
  }
  const std::vector<Transcript> transcripts = driver.Finish();
  trial.CheckBeginnings(transcripts);
  const auto left = std::count_if(
      transcripts.begin(), transcripts.end(),
      [](const Transcript& transcript) { return !transcript.complete(); });
  trial.outcome().figures["left_in_the_middle"] += static_cast<double>(left);
  return absl::OkStatus();
}

double TokensSent(Trial& trial) {
  return trial.cluster().Sum(ProcessKind::kDenseWorker,
                             "apollo_generation_tokens_total");
}

}  // namespace

absl::Status CancelStorm(Trial& trial) {
  Layout layout = trial.AllEverywhere(2);
  layout.joints = Joints::kProxies;
  // Long answers, so that few end before their client leaves.
  RETURN_IF_ERROR(trial.Deploy(layout, {.new_tokens = 320}));
  const int clients = trial.long_run() ? 1000 : 100;
  for (int wave = 0; wave < clients / kWave; ++wave) {
    RETURN_IF_ERROR(
        RunWave(trial, wave % 2 == 0 ? Leave::kCancel : Leave::kBreak));
  }
  trial.CheckGrowth();
  if (trial.outcome().figures["left_in_the_middle"] < clients / 2) {
    trial.outcome().AddProblems(
        {"most clients were served before they could leave"});
  }
  // Nothing is computed for those who have left.
  const double sent = TokensSent(trial);
  trial.CheckGrowth();
  if (TokensSent(trial) != sent) {
    trial.outcome().AddProblems({"tokens are sent to clients that have left"});
  }
  trial.StartStreams();
  trial.EndStreams();
  return absl::OkStatus();
}

}  // namespace apollo
