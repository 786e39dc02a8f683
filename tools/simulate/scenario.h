#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "common/json.h"
#include "dense_worker/pinning.h"
#include "engine/scheduler.h"
#include "tools/simulate/stage_times.h"

namespace apollo::simulate {

// A cluster and its load, as plain data. docs/simulation.md describes the JSON
// file and every field.
struct Scenario {
  struct Model {
    int sparse_layers = 2;
    int experts = 7;
    int experts_per_token = 2;
    int hidden = 576;
    // The probability that the gate chooses the expert of the family for a
    // token of its languages.
    double affinity = 0.8;
    bool hybrid = false;  // The expert of the family is always chosen.
  };
  // Processes share the processors of their machine.
  struct Machines {
    int cores = 0;                // Of each; 0: every worker has its own.
    int workers_per_machine = 0;  // In the order of their names; 0: all.
  };
  struct Link {
    double latency = 0.0001;  // Seconds in one direction.
    double bytes_per_second = 1e9;
  };
  struct Router {
    double request_seconds = 0.002;  // Before the dense worker has the request.
    double token_seconds = 0.0002;   // From the dense worker to the client.
  };
  struct DenseWorkers {
    int count = 1;
    Scheduler::Options scheduler = {
        .token_budget = 512, .mixed_token_budget = 16, .max_running = 64};
    int max_waiting = 1024;
    int steps_in_flight = 2;
    int cache_tokens = 1 << 17;
  };
  enum class Placement { kInTurn, kFixed, kAuto };
  struct ExpertWorkers {
    int count = 1;
    Placement placement = Placement::kInTurn;
    std::vector<std::set<int>> fixed;  // By worker; repeated.
    int replicas = 1;                  // Workers with each expert, in turn.
    // Experts that a worker may have on standby, in all layers.
    int standby = 0;
    // With placement `auto`, those for which it has room besides the ones that
    // it begins with.
    int room = 0;
    double load_seconds = 0.5;  // Of one expert of one layer.
    Pinning pinning = Pinning::kPrefer;
    int max_batch_rows = 2048;  // StepQueue::kMaxBatchRows
  };
  struct Language {
    std::string code;
    int family = -1;
    double share = 0;
  };
  struct Surge {
    int language = 0;  // Index in `languages`.
    double from = 0, to = 0;
    double factor = 1;
  };
  struct Traffic {
    double requests_per_second = 0;  // Poisson arrivals; 0: streams instead.
    int streams = 0;                 // Requests that begin together at 0...
    bool repeat = false;             // ... and are followed by new ones.
    int prompt_least = 128, prompt_most = 128;
    int answer_least = 64, answer_most = 64;
    std::vector<Language> languages;
    std::vector<Surge> surges;
  };
  struct Failure {
    int expert_worker = 0;
    double at = 0;
    double back_at = 0;  // 0: never.
  };

  std::string name;
  std::uint64_t seed = 1;
  double seconds = 60;
  double warm_up_seconds = 0;    // Not counted.
  double report_seconds = 0.25;  // Between reports of a worker's load.
  double lease_seconds = 0.3;    // Until a lost worker is noticed.
  Model model;
  Machines machines;
  Link link;
  Router router;
  DenseWorkers dense;
  ExpertWorkers expert;
  Traffic traffic;
  std::vector<Failure> failures;
  StageTimes times;
};

// Reads a scenario. `times` of the file is a table, or the name of a file with
// one, beside the scenario (`directory`). INVALID_ARGUMENT names the key that
// is wrong, its value and what is valid.
absl::StatusOr<Scenario> ReadScenario(const Json& json,
                                      const std::string& directory);

// Reads a file. Errors name it.
absl::StatusOr<Scenario> LoadScenario(const std::string& path);

}  // namespace apollo::simulate
