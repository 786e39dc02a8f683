#include <algorithm>

#include "common/status_macros.h"
#include "tests/faults/cluster/eventually.h"
#include "tests/faults/scenarios/kill_moments.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {
namespace {

// Returns requests as large as those that the loss of one of two dense workers
// interrupts: the prompts of half of the streams with half of their answers.
// Nothing of them is in a cache.
std::vector<StreamPlan> Interrupted(Trial& trial,
                                    const std::vector<Transcript>& answers) {
  std::vector<StreamPlan> plans;
  for (const Transcript& answer : answers) {
    StreamPlan plan = trial.plans()[static_cast<std::size_t>(answer.slot)];
    const bool planned = std::any_of(
        plans.begin(), plans.end(),
        [&](const StreamPlan& other) { return other.slot == plan.slot; });
    if (planned || plan.slot % 2 == 1) continue;
    auto& ids = *plan.request.mutable_tokenized()->mutable_input_ids();
    ids.Set(0, ids.Get(ids.size() - 1));
    const std::vector<std::int32_t>& tokens = answer.choices[0].ids;
    ids.Add(tokens.begin(), tokens.begin() + tokens.size() / 2);
    plan.request.set_max_new_tokens(1);
    plans.push_back(std::move(plan));
  }
  return plans;
}

// Returns the time until all of these have their first token.
absl::StatusOr<absl::Duration> TimeOfPrefill(Trial& trial,
                                             std::vector<StreamPlan> plans) {
  RouterClient client(trial.Routers(), {.resume = true});
  const absl::Duration begin = Now();
  StreamDriver driver(client, std::move(plans), {.rounds = 1});
  absl::Duration last = begin;
  for (const Transcript& transcript : driver.Finish()) {
    if (!transcript.status->ok()) {
      return absl::InternalError("a request of the prefill failed: " +
                                 transcript.status->error_message());
    }
    for (const ChoiceTranscript& choice : transcript.choices) {
      if (!choice.times.empty()) last = std::max(last, choice.times.front());
    }
  }
  return last - begin;
}

}  // namespace

absl::Status KillDenseWorker(Trial& trial) {
  RETURN_IF_ERROR(trial.Deploy(trial.TwoHolders()));
  RETURN_IF_ERROR(KillAtMoments(trial, ProcessKind::kDenseWorker,
                                trial.long_run() ? 200 : 6));
  trial.Say("measures the prefill of what a loss interrupts");
  trial.cluster().Kill(NameOf(ProcessKind::kDenseWorker, 0));
  // The router knows of the loss when a round of requests has ended.
  trial.StartStreams();
  trial.EndStreams();
  ASSIGN_OR_RETURN(const absl::Duration prefill,
                   TimeOfPrefill(trial, Interrupted(trial, trial.checked())));
  trial.outcome().figures["prefill_seconds"] = absl::ToDoubleSeconds(prefill);
  const Pauses pauses = trial.ReportPauses(absl::Seconds(2));
  trial.AddBar("pause_p99_seconds", pauses.Quantile(0.99),
               absl::Milliseconds(500) + prefill);
  return absl::OkStatus();
}

}  // namespace apollo
