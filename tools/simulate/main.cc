// Simulates a cluster that a scenario file describes. See --help.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>

#include "common/status_macros.h"
#include "tools/simulate/cluster.h"
#include "tools/simulate/report.h"
#include "tools/simulate/scenario.h"

namespace apollo::simulate {
namespace {

struct Options {
  std::string scenario;
  std::string json;
  std::optional<std::uint64_t> seed;
};

absl::Status Run(const Options& options) {
  ASSIGN_OR_RETURN(Scenario scenario, LoadScenario(options.scenario));
  if (options.seed) scenario.seed = *options.seed;
  if (scenario.name.empty()) scenario.name = options.scenario;
  const auto begin = std::chrono::steady_clock::now();
  Cluster cluster(scenario);
  cluster.Run();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  const Json report = ReportJson(scenario, cluster);
  std::printf("%s", ReportTable(report).c_str());
  std::fprintf(stderr, "%llu events in %.2f s, %.0f events/s\n",
               static_cast<unsigned long long>(cluster.events()), seconds,
               static_cast<double>(cluster.events()) / seconds);
  if (options.json.empty()) return absl::OkStatus();
  std::ofstream file(options.json);
  file << report.dump(1) << "\n";
  file.close();
  if (file) return absl::OkStatus();
  return absl::UnknownError("cannot write " + options.json);
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Simulates a cluster of Apollo-MoE workers: throughput, latency and use "
      "of the\nworkers, from measured times of their stages. The result "
      "depends "
      "only on the\nscenario and the seed. docs/simulation.md describes the "
      "scenario file.\n"
      "Example: simulate tools/simulate/scenarios/small.json --json out.json",
      "simulate");
  Options options;
  app.add_option("scenario", options.scenario, "Scenario file (JSON).")
      ->required();
  app.add_option("--json", options.json, "Write the result as JSON, too.");
  app.add_option("--seed", options.seed, "Replaces the seed of the scenario.")
      ->check(CLI::Range(0, 1 << 30));  // CLI11 takes -1 for a huge number.
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = Run(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "simulate: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace apollo::simulate

int main(int argc, char** argv) { return apollo::simulate::Main(argc, argv); }
