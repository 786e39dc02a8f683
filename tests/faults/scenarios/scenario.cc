#include "tests/faults/scenarios/scenario.h"

#include "tests/faults/cluster/eventually.h"

namespace apollo {
namespace {

constexpr Scenario kScenarios[] = {
    {"kill_expert_worker",
     "kill -9 of an expert worker at seeded moments; it is started again",
     "pause p99 <= 0.25 s", KillExpertWorker},
    {"kill_dense_worker",
     "kill -9 of a dense worker at seeded moments; it is started again",
     "pause p99 <= 0.5 s + the time to prefill what was interrupted",
     KillDenseWorker},
    {"kill_router",
     "kill -9 of one of two routers; clients resume at the other", "none",
     KillRouter},
    {"freeze", "SIGSTOP of a process of each role, then SIGCONT",
     "others go on within lease + 0.25 s", FreezeEachRole},
    {"partition",
     "a partition between two processes, both ways and one way, then its end",
     "others go on within lease + 0.25 s", PartitionEachPair},
    {"bad_link", "50 ms delay, loss, resets and truncation on one link",
     "p99 between tokens <= 1.2 times the undisturbed one, for sequences "
     "beside the link",
     HarmOneLink},
    {"bad_peer_link",
     "50 ms delay between two expert workers that compute rows for each other",
     "p99 between tokens <= 1.2 times the undisturbed one", DelayAPeerLink},
    {"cut_network",
     "as partition, but a network loses the packets of two processes",
     "others go on within lease + 0.25 s", CutNetwork, /*own_network=*/true},
    {"lossy_network",
     "50 ms delay, then loss of 1% of packets, between a dense and an expert "
     "worker",
     "p99 between tokens <= 1.2 times the undisturbed one, for sequences "
     "beside the link",
     HarmOneWire, /*own_network=*/true},
    {"lossy_peer_network",
     "50 ms delay with loss of 1% of packets between two expert workers that "
     "compute rows for each other",
     "p99 between tokens <= 1.2 times the undisturbed one", HarmAPeerWire,
     /*own_network=*/true},
    {"lose_two", "kill -9 of two expert workers at once; the third goes on",
     "pause p99 <= 0.25 s", LoseTwoWorkers},
    {"lose_family",
     "kill -9 of the only holder of families; a standby takes over", "none",
     LoseAFamily},
    {"lose_all",
     "kill -9 of all expert workers: UNAVAILABLE at once, and after their "
     "return everything works",
     "failed within lease + 0.25 s", LoseAllExpertWorkers},
    {"rolling_restart",
     "SIGTERM and a new start of every process, one after the other",
     "no failed request", RestartInTurn},
    {"overload",
     "twice the requests that the cluster admits: the rest is refused with "
     "RESOURCE_EXHAUSTED and a RetryInfo",
     "p99 of admitted requests <= 2 x that without overload, refusals and "
     "recovery within 0.25 s",
     Overload},
    {"cancel_storm",
     "many clients that cancel, or whose connections break: everything is "
     "freed",
     "none", CancelStorm},
    {"surge",
     "one family gets ten times the requests while placement is auto: its "
     "expert gets a second holder",
     "none", SurgeOfAFamily},
    {"mixed", "random faults of all kinds, one after the other, by the seed",
     "none", MixFaults},
};

}  // namespace

std::span<const Scenario> AllScenarios() { return kScenarios; }

const Scenario* FindScenario(const std::string& name) {
  for (const Scenario& scenario : kScenarios) {
    if (scenario.name == name) return &scenario;
  }
  return nullptr;
}

Outcome RunScenario(const Scenario& scenario, const Settings& settings) {
  const absl::Duration begin = Now();
  Trial trial(settings, scenario.name);
  if (scenario.own_network && !settings.network.ok()) {
    trial.outcome().skipped = settings.network.ToString();
    trial.Say("SKIPPED: " + trial.outcome().skipped);
    return trial.outcome();
  }
  const absl::Status status = scenario.run(trial);
  Outcome& outcome = trial.outcome();
  if (!status.ok()) {
    outcome.AddProblems({std::string(status.message())});
    trial.EndStreams();  // They tell more.
  }
  if (!outcome.problems.empty()) trial.ShowLogs();
  outcome.seconds = absl::ToDoubleSeconds(Now() - begin);
  return outcome;
}

}  // namespace apollo
