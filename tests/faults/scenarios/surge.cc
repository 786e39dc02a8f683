#include "common/status_macros.h"
#include "tests/faults/cluster/eventually.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {
namespace {

// Runs as many rounds of the plans and adds their speed to the figures.
void RunStage(Trial& trial, const char* figure, std::vector<StreamPlan> plans,
              int rounds) {
  trial.Say(figure);
  RouterClient client(trial.Routers());
  const std::int64_t before = trial.outcome().requests;
  const absl::Duration begin = Now();
  StreamDriver driver(client, std::move(plans), {.rounds = rounds});
  std::vector<Transcript> transcripts = driver.Finish();
  std::int64_t tokens = 0;
  for (const Transcript& transcript : transcripts) {
    tokens += transcript.tokens();
  }
  trial.outcome().figures[figure] =
      static_cast<double>(tokens) / absl::ToDoubleSeconds(Now() - begin);
  trial.Check(std::move(transcripts));
  trial.outcome().figures["requests_of_surge"] =
      static_cast<double>(trial.outcome().requests - before);
}

}  // namespace

// Placement moves experts while the streams run; no token may change. Which
// worker should hold which experts is the subject of tests of the placement.
absl::Status SurgeOfAFamily(Trial& trial) {
  Layout layout = trial.AllEverywhere(3);
  layout.experts = SpreadExperts(trial.settings().experts, /*workers=*/3,
                                 /*holders=*/1);
  layout.expert_flags = {"--placement=auto", "--standby_megabytes=2048"};
  RETURN_IF_ERROR(trial.Deploy(layout));
  const int rounds = trial.long_run() ? 20 : 2;
  RunStage(trial, "mixed_tokens_per_second", trial.plans(), rounds);
  trial.MarkFault("ten times the requests of one family");
  std::vector<StreamPlan> surge = trial.plans();
  for (int i = 0; i < 9; ++i) {
    for (const StreamPlan& plan : trial.plans()) {
      if (plan.slot == 6) surge.push_back(plan);  // Swahili.
    }
  }
  RunStage(trial, "surge_tokens_per_second", std::move(surge), rounds);
  RunStage(trial, "mixed_again_tokens_per_second", trial.plans(), rounds);
  trial.CheckGrowth();
  return absl::OkStatus();
}

}  // namespace apollo
