#include "tests/faults/trial/outcome.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>

namespace apollo {
namespace {

constexpr std::size_t kMostProblems = 20;

const char* Result(const Outcome& outcome) {
  if (!outcome.skipped.empty()) return "SKIPPED";
  return outcome.passed() ? "passed" : "FAILED";
}

}  // namespace

void Outcome::AddProblems(const std::vector<std::string>& more) {
  for (const std::string& problem : more) {
    if (left_out_ == 0 && problems.size() < kMostProblems) {
      problems.push_back(problem);
      continue;
    }
    if (left_out_ > 0) problems.pop_back();
    problems.push_back(absl::StrCat("and ", ++left_out_, " more"));
  }
}

bool Outcome::passed() const {
  return skipped.empty() && problems.empty() &&
         (!long_run || std::all_of(bars.begin(), bars.end(),
                                   [](const Bar& bar) { return bar.Met(); }));
}

Json ToJson(const Outcome& outcome) {
  Json bars = Json::array();
  for (const Bar& bar : outcome.bars) {
    bars.push_back({{"name", bar.name},
                    {"measured", bar.measured},
                    {"limit", bar.limit},
                    {"met", bar.Met()}});
  }
  return {{"scenario", outcome.scenario}, {"passed", outcome.passed()},
          {"seed", outcome.seed},         {"long_run", outcome.long_run},
          {"seconds", outcome.seconds},   {"faults", outcome.faults},
          {"requests", outcome.requests}, {"problems", outcome.problems},
          {"figures", outcome.figures},   {"bars", bars},
          {"skipped", outcome.skipped}};
}

std::string Table(const std::vector<Outcome>& outcomes) {
  std::string table =
      absl::StrFormat("%-20s %-7s %7s %8s %9s\n", "scenario", "result",
                      "faults", "requests", "seconds");
  for (const Outcome& outcome : outcomes) {
    absl::StrAppend(
        &table, absl::StrFormat("%-20s %-7s %7d %8d %9.1f\n", outcome.scenario,
                                Result(outcome), outcome.faults,
                                outcome.requests, outcome.seconds));
    if (!outcome.skipped.empty()) {
      absl::StrAppend(&table, "    SKIPPED: ", outcome.skipped, "\n");
    }
    for (const Bar& bar : outcome.bars) {
      absl::StrAppend(&table,
                      absl::StrFormat("    bar %s: %.3f, at most %.3f%s\n",
                                      bar.name, bar.measured, bar.limit,
                                      bar.Met()          ? ""
                                      : outcome.long_run ? ": NOT MET"
                                                         : ": above"));
    }
    for (const auto& [name, value] : outcome.figures) {
      absl::StrAppend(&table, absl::StrFormat("    %s: %.4g\n", name, value));
    }
    for (const std::string& problem : outcome.problems) {
      absl::StrAppend(&table, "    PROBLEM ", problem, "\n");
    }
  }
  return table;
}

}  // namespace apollo
