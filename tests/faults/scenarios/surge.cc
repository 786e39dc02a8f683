#include <absl/strings/str_cat.h>
#include <grpcpp/grpcpp.h>

#include <set>

#include "common/status_macros.h"
#include "proto/apollo/v1/inference.grpc.pb.h"
#include "tests/faults/cluster/eventually.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {
namespace {

constexpr int kFamily = 6;  // Niger-Congo; the stream of this slot is Swahili.

// Returns the number of expert workers that hold an expert in all of the
// layers that any of them holds it in, as `apollo placement` shows it.
int Holders(Trial& trial, int expert) {
  const auto stub = v1::InferenceService::NewStub(grpc::CreateChannel(
      trial.Routers()[0], grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::GetStatusResponse response;
  if (!stub->GetStatus(&context, {}, &response).ok()) return 0;
  std::set<std::uint32_t> layers;
  std::vector<std::size_t> held;  // Layers, by worker.
  for (const v1::ProcessStatus& process : response.processes()) {
    if (process.role() != v1::PROCESS_ROLE_EXPERT_WORKER) continue;
    held.push_back(0);
    for (const v1::PlacedExpert& placed : process.placement().experts()) {
      if (static_cast<int>(placed.expert()) != expert ||
          placed.hold() == v1::EXPERT_HOLD_ABSENT ||
          placed.hold() == v1::EXPERT_HOLD_STANDBY) {
        continue;
      }
      layers.insert(placed.layer());
      ++held.back();
    }
  }
  int holders = 0;
  for (const std::size_t count : held) {
    holders += count > 0 && count == layers.size() ? 1 : 0;
  }
  return holders;
}

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

// Each expert has one holder, and there is room for replicas: they appear while
// the streams run, and no token changes. Which worker should hold which experts
// is the subject of tests of the placement and of tests/timed.
absl::Status SurgeOfAFamily(Trial& trial) {
  Layout layout = trial.AllEverywhere(3);
  layout.experts = SpreadExperts(trial.settings().experts, /*workers=*/3,
                                 /*holders=*/1);
  // Room for all experts of the tiny model, or for five of seven of the demo
  // model in float32.
  layout.expert_flags = {
      "--placement=auto", "--standby_megabytes=2048",
      absl::StrCat("--resident_megabytes=", trial.long_run() ? 110 : 2)};
  RETURN_IF_ERROR(trial.Deploy(layout));
  const int rounds = trial.long_run() ? 20 : 2;
  RunStage(trial, "mixed_tokens_per_second", trial.plans(), rounds);
  trial.MarkFault("ten times the requests of one family");
  std::vector<StreamPlan> surge = trial.plans();
  for (int i = 0; i < 9; ++i) {
    for (const StreamPlan& plan : trial.plans()) {
      if (plan.slot == kFamily) surge.push_back(plan);
    }
  }
  RunStage(trial, "surge_tokens_per_second", std::move(surge), rounds);
  int holders = 0;
  const bool replicas = Eventually(kPatience, [&] {
    holders = Holders(trial, kFamily);
    return holders >= 2;
  });
  trial.outcome().figures["holders"] = holders;
  if (!replicas) {
    trial.outcome().AddProblems({absl::StrCat(
        "expert ", kFamily, " has ", holders, " holders after the surge")});
  }
  RunStage(trial, "mixed_again_tokens_per_second", trial.plans(), rounds);
  trial.ReportPauses(/*reach=*/absl::Seconds(10));
  trial.CheckGrowth();
  return absl::OkStatus();
}

}  // namespace apollo
