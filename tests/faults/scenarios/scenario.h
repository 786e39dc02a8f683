#pragma once

#include <absl/status/status.h>

#include <span>
#include <string>

#include "tests/faults/trial/outcome.h"
#include "tests/faults/trial/settings.h"
#include "tests/faults/trial/trial.h"

namespace apollo {

// One kind of fault, with what must be true whenever it happens.
struct Scenario {
  const char* name;
  const char* help;
  const char* bar;
  // Runs a trial. An error is a problem of the scenario, like those that the
  // trial has recorded.
  absl::Status (*run)(Trial& trial);
  // It needs a Network, for which the process must have left the network of
  // the machine (own_network.h).
  bool own_network = false;
};

// Returns all scenarios. The name of each is unique.
std::span<const Scenario> AllScenarios();

// Returns the scenario with this name, or nullptr.
const Scenario* FindScenario(const std::string& name);

// Runs a scenario in a cluster of its own. If it needs a Network, and the
// process has not been able to leave that of the machine, it is only marked as
// skipped.
Outcome RunScenario(const Scenario& scenario, const Settings& settings);

// The scenarios, one in each file.
absl::Status KillExpertWorker(Trial& trial);
absl::Status KillDenseWorker(Trial& trial);
absl::Status KillRouter(Trial& trial);
absl::Status FreezeEachRole(Trial& trial);
absl::Status PartitionEachPair(Trial& trial);
absl::Status HarmOneLink(Trial& trial);
absl::Status DelayAPeerLink(Trial& trial);
absl::Status CutNetwork(Trial& trial);
absl::Status HarmOneWire(Trial& trial);
absl::Status HarmAPeerWire(Trial& trial);
absl::Status LoseTwoWorkers(Trial& trial);
absl::Status LoseAFamily(Trial& trial);
absl::Status LoseAllExpertWorkers(Trial& trial);
absl::Status RestartInTurn(Trial& trial);
absl::Status Overload(Trial& trial);
absl::Status CancelStorm(Trial& trial);
absl::Status SurgeOfAFamily(Trial& trial);
absl::Status MixFaults(Trial& trial);

}  // namespace apollo
