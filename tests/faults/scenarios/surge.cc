#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "proto/apollo/v1/inference.grpc.pb.h"
#include "tests/faults/cluster/eventually.h"
#include "tests/faults/scenarios/observation.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {
namespace {

// Niger-Congo, which two of the streams belong to. That of this slot is Hausa,
// with hybrid routing: each of its rows needs the expert, whatever the gate of
// the model says.
constexpr int kExpert = 6;
constexpr int kSlot = 14;
constexpr int kMoreStreams = 18;  // Ten times the two.

// The expert workers that hold the expert, as `apollo placement` shows it: the
// number of layers, and since when they have held it in all of these.
struct Holding {
  int layers = 0;
  int by_use = 0;           // Of these, held by --placement=auto.
  std::uint64_t since = 0;  // Seconds since 1970, of the last layer.
};

std::map<std::string, Holding> HoldersOf(Trial& trial) {
  const auto stub = v1::InferenceService::NewStub(grpc::CreateChannel(
      trial.Routers()[0], grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::GetStatusResponse response;
  std::map<std::string, Holding> holders;
  if (!stub->GetStatus(&context, {}, &response).ok()) return holders;
  for (const v1::ProcessStatus& process : response.processes()) {
    for (const v1::PlacedExpert& placed : process.placement().experts()) {
      if (static_cast<int>(placed.expert()) != kExpert ||
          placed.hold() == v1::EXPERT_HOLD_ABSENT ||
          placed.hold() == v1::EXPERT_HOLD_STANDBY) {
        continue;
      }
      Holding& holding = holders[process.name()];
      ++holding.layers;
      holding.by_use += placed.hold() == v1::EXPERT_HOLD_AUTO ? 1 : 0;
      holding.since = std::max<std::uint64_t>(holding.since, placed.since());
    }
  }
  return holders;
}

// Returns the workers that hold the expert in as many layers as any.
std::set<std::string> WholeHolders(
    const std::map<std::string, Holding>& holders) {
  int most = 0;
  for (const auto& [name, holding] : holders) {
    most = std::max(most, holding.layers);
  }
  std::set<std::string> whole;
  for (const auto& [name, holding] : holders) {
    if (holding.layers == most) whole.insert(name);
  }
  return whole;
}

// Runs some rounds of the plans without a fault. Returns when.
Period RunUsual(Trial& trial, const char* figure) {
  trial.Say(figure);
  RouterClient client(trial.Routers());
  const absl::Duration begin = Now();
  StreamDriver driver(client, trial.plans(),
                      {.rounds = trial.long_run() ? 20 : 2});
  std::vector<Transcript> transcripts = driver.Finish();
  const Period period = {begin, Now()};
  std::int64_t tokens = 0;
  for (const Transcript& transcript : transcripts) {
    tokens += transcript.tokens();
  }
  trial.outcome().figures[figure] =
      static_cast<double>(tokens) /
      absl::ToDoubleSeconds(period.until - period.from);
  trial.Check(std::move(transcripts));
  return period;
}

// Returns the plans of all streams, and of those that surge.
std::vector<StreamPlan> SurgePlans(const Trial& trial) {
  std::vector<StreamPlan> plans = trial.plans();
  for (const StreamPlan& plan : trial.plans()) {
    if (plan.slot != kSlot) continue;
    plans.insert(plans.end(), kMoreStreams, plan);
  }
  return plans;
}

// The surge runs until a worker that did not hold the expert before it holds it
// in all layers, because of its use, and then for another while.
struct Surge {
  Period until_replica, with_replica;
};

absl::StatusOr<Surge> RunSurge(Trial& trial,
                               const std::set<std::string>& before) {
  const auto begin_wall =
      static_cast<std::uint64_t>(absl::ToUnixSeconds(absl::Now()));
  RouterClient client(trial.Routers());
  Surge surge;
  surge.until_replica.from = Now();
  StreamDriver driver(client, SurgePlans(trial), {.deadline = 5 * kPatience});
  std::string added;
  const bool replica = Eventually(kPatience, [&] {
    const std::map<std::string, Holding> holders = HoldersOf(trial);
    for (const std::string& name : WholeHolders(holders)) {
      const Holding& holding = holders.at(name);
      if (!before.contains(name) && holding.by_use == holding.layers &&
          holding.since >= begin_wall) {
        added = name;
      }
    }
    return !added.empty();
  });
  surge.until_replica.until = surge.with_replica.from = Now();
  if (!replica) {
    trial.outcome().AddProblems(
        {absl::StrCat("no worker has taken expert ", kExpert,
                      " since the surge began; it had ", before.size(),
                      " holders before it")});
  } else {
    trial.Say(absl::StrCat(added, " holds expert ", kExpert, ", too"));
  }
  for (int round = 0; round < (trial.long_run() ? 10 : 1); ++round) {
    if (!driver.WaitForTokens(trial.tokens_of_a_round(), kPatience)) {
      return absl::UnavailableError("the streams of the surge do not go on");
    }
  }
  surge.with_replica.until = Now();
  const std::int64_t requests = trial.outcome().requests;
  trial.Check(driver.Finish());
  trial.outcome().figures["requests_of_surge"] =
      static_cast<double>(trial.outcome().requests - requests);
  return surge;
}

void ReportGaps(Trial& trial, const char* figure, const Period& period) {
  trial.outcome().figures[absl::StrCat("gap_p99_", figure, "_seconds")] =
      absl::ToDoubleSeconds(GapP99(trial, {period}));
}

}  // namespace

// The expert of the family has one holder and the others two, and no worker has
// room for more: so one of them must drop something for it. All processes share
// the processors of one machine, so a replica shows in what they hold, not in
// the speed, which is the subject of tests/timed.
absl::Status SurgeOfAFamily(Trial& trial) {
  Layout layout = trial.AllEverywhere(3);
  layout.experts = {"--experts=0,2,3,5,6", "--experts=0,1,3,4",
                    "--experts=1,2,4,5"};
  layout.expert_flags = {"--placement=auto", "--standby_megabytes=2048"};
  RETURN_IF_ERROR(trial.Deploy(layout));
  const Period usual = RunUsual(trial, "mixed_tokens_per_second");
  const std::set<std::string> before = WholeHolders(HoldersOf(trial));
  if (before.empty() || before.size() == layout.experts.size()) {
    return absl::InternalError(absl::StrCat(
        "expert ", kExpert, " has ", before.size(),
        " holders before the surge; there must be one, and room for another"));
  }
  trial.MarkFault("ten times the requests of one family");
  ASSIGN_OR_RETURN(const Surge surge, RunSurge(trial, before));
  trial.outcome().figures["holders_before"] =
      static_cast<double>(before.size());
  trial.outcome().figures["holders"] =
      static_cast<double>(WholeHolders(HoldersOf(trial)).size());
  trial.outcome().figures["replica_after_seconds"] = absl::ToDoubleSeconds(
      surge.until_replica.until - surge.until_replica.from);
  RunUsual(trial, "mixed_again_tokens_per_second");
  ReportGaps(trial, "before_surge", usual);
  ReportGaps(trial, "until_replica", surge.until_replica);
  ReportGaps(trial, "with_replica", surge.with_replica);
  trial.ReportPauses(/*reach=*/absl::Seconds(10));
  trial.CheckGrowth();
  return absl::OkStatus();
}

}  // namespace apollo
