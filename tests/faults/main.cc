// Runs scenarios of faults in clusters of real processes, shows their progress
// and a table of results, and exits with 0 only if some have passed and none
// has failed.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "common/json.h"
#include "tests/faults/network/own_network.h"
#include "tests/faults/scenarios/scenario.h"

namespace apollo {
namespace {

struct Options {
  Settings settings;
  std::string tiny_model = "tests/golden/published";
  std::string demo_model;
  std::string json;
  double seconds = 0;
  std::vector<std::string> scenarios;
  bool list = false;
};

void List() {
  for (const Scenario& scenario : AllScenarios()) {
    std::printf("%-20s %s\n%-20s bar: %s\n", scenario.name, scenario.help, "",
                scenario.bar);
  }
}

void AddFlags(CLI::App& app, Options& options) {
  Settings& settings = options.settings;
  app.add_flag("--long", settings.long_run,
               "Run with more and longer faults; bars count.");
  app.add_option("--seed", settings.seed,
                 "Seed of moments, faults and requests; default 1.");
  app.add_option("--seconds", options.seconds,
                 "Time of the scenarios mixed and overload. Default: their "
                 "own.")
      ->check(CLI::PositiveNumber);
  app.add_option("--scenario", options.scenarios,
                 "Scenario to run; may be given several times. Default: all.");
  app.add_flag("--list", options.list, "Show the scenarios and their bars.");
  app.add_option("--programs", settings.programs,
                 "Folder of the built programs; default .bazel/bin.");
  app.add_option("--model", options.tiny_model,
                 "Small model of short runs, and of long ones without a demo "
                 "model; it must have 7 experts. Default: "
                 "tests/golden/published.");
  app.add_option("--demo_model", options.demo_model,
                 "Directory of the demo model, which long runs serve.");
  app.add_option("--threads", settings.threads,
                 "Threads of each worker; default 1.")
      ->check(CLI::PositiveNumber);
  app.add_option("--json", options.json,
                 "File for the results, one JSON object.");
}

// Returns the scenarios asked for; empty, with a message, if one is unknown.
std::vector<const Scenario*> Chosen(const Options& options) {
  std::vector<const Scenario*> chosen;
  for (const std::string& name : options.scenarios) {
    const Scenario* const scenario = FindScenario(name);
    if (scenario == nullptr) {
      std::fprintf(stderr,
                   "faults: --scenario is \"%s\"; it must be one of those that "
                   "--list shows\n",
                   name.c_str());
      return {};
    }
    chosen.push_back(scenario);
  }
  if (options.scenarios.empty()) {
    for (const Scenario& scenario : AllScenarios()) {
      chosen.push_back(&scenario);
    }
  }
  return chosen;
}

bool WriteJson(const Options& options, const std::vector<Outcome>& outcomes) {
  if (options.json.empty()) return true;
  Json results = Json::array();
  for (const Outcome& outcome : outcomes) results.push_back(ToJson(outcome));
  std::ofstream file(options.json);
  file << Json{{"model", options.settings.model},
               {"threads", options.settings.threads},
               {"scenarios", results}}
              .dump(2)
       << "\n";
  if (file.good()) return true;
  std::fprintf(stderr, "faults: cannot write %s\n", options.json.c_str());
  return false;
}

int Run(Options& options) {
  if (options.list) {
    List();
    return 0;
  }
  Settings& settings = options.settings;
  if (settings.programs.empty()) settings.programs = ".bazel/bin";
  settings.duration = absl::Seconds(options.seconds);
  settings.model = options.tiny_model;
  if (settings.long_run && !options.demo_model.empty()) {
    settings.model = options.demo_model;
    settings.cache_megabytes = 512;
  }
  const std::vector<const Scenario*> chosen = Chosen(options);
  if (chosen.empty()) return 2;
  if (std::any_of(chosen.begin(), chosen.end(),
                  [](const Scenario* each) { return each->own_network; })) {
    settings.network = LeaveMachineNetwork();
  }
  std::vector<Outcome> outcomes;
  for (const Scenario* scenario : chosen) {
    outcomes.push_back(RunScenario(*scenario, settings));
    std::printf("%s\n", Table({outcomes.back()}).c_str());
  }
  std::printf("\n%s", Table(outcomes).c_str());
  const bool failed =
      std::any_of(outcomes.begin(), outcomes.end(), [](const Outcome& outcome) {
        return !outcome.passed() && outcome.skipped.empty();
      });
  const bool ran = std::any_of(
      outcomes.begin(), outcomes.end(),
      [](const Outcome& outcome) { return outcome.skipped.empty(); });
  return WriteJson(options, outcomes) && ran && !failed ? 0 : 1;
}

}  // namespace
}  // namespace apollo

int main(int argc, char** argv) {
  CLI::App app(
      "Runs scenarios of faults in clusters of real processes on this "
      "machine.");
  apollo::Options options;
  apollo::AddFlags(app, options);
  CLI11_PARSE(app, argc, argv);
  return apollo::Run(options);
}
