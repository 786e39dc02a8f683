#include "tools/simulate/report.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace apollo::simulate {
namespace {

Json Times(const Quantiles& times) {
  return {{"count", times.count()},      {"mean", times.Mean()},
          {"p50", times.Quantile(0.5)},  {"p90", times.Quantile(0.9)},
          {"p99", times.Quantile(0.99)}, {"max", times.Max()}};
}

Json Use(const std::vector<double>& use) {
  const double sum = std::accumulate(use.begin(), use.end(), 0.0);
  return {{"workers", use.size()},
          {"mean", sum / static_cast<double>(use.size())},
          {"least", *std::min_element(use.begin(), use.end())},
          {"most", *std::max_element(use.begin(), use.end())}};
}

double Share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0
                    : static_cast<double>(part) / static_cast<double>(whole);
}

Json Work(const Stats& stats) {
  return {{"dense_rows", stats.dense_rows},
          {"preempted_rows", stats.preempted_rows},
          {"expert_rows", stats.expert_rows},
          {"replayed_rows", stats.replayed_rows},
          {"rows_per_dense_step", Share(stats.dense_rows, stats.dense_steps)},
          {"rows_per_batch", Share(stats.batch_rows, stats.batches)},
          {"off_worker_share", Share(stats.guest_choices, stats.choices)},
          {"resident_share", Share(stats.placed_resident, stats.placed)},
          {"expert_loads", stats.loads},
          {"expert_moves", stats.moves}};
}

void AddRow(const char* name, const Json& times, std::string& table) {
  absl::StrAppendFormat(&table, "%-22s %9s %9s %9s %9s %9s\n", name,
                        absl::StrFormat("%.4f", times["mean"].get<double>()),
                        absl::StrFormat("%.4f", times["p50"].get<double>()),
                        absl::StrFormat("%.4f", times["p90"].get<double>()),
                        absl::StrFormat("%.4f", times["p99"].get<double>()),
                        absl::StrFormat("%.4f", times["max"].get<double>()));
}

void AddUse(const char* name, const Json& use, std::string& table) {
  absl::StrAppendFormat(
      &table, "%-22s %d workers, busy %.1f%% on average, %.1f%% to %.1f%%\n",
      name, use["workers"].get<int>(), 100 * use["mean"].get<double>(),
      100 * use["least"].get<double>(), 100 * use["most"].get<double>());
}

}  // namespace

Json ReportJson(const Scenario& scenario, const Cluster& cluster) {
  const Stats& stats = cluster.stats();
  Json languages = Json::object();
  for (std::size_t l = 0; l < stats.languages.size(); ++l) {
    const Stats::Language& language = stats.languages[l];
    languages[scenario.traffic.languages[l].code] = {
        {"family", scenario.traffic.languages[l].family},
        {"requests", language.requests},
        {"tokens", language.tokens},
        {"first_token", Times(language.first_token)}};
  }
  Json pauses = Json::array();
  for (const Quantiles& times : stats.between_by_second) {
    pauses.push_back(times.Quantile(0.99));
  }
  const double counted = scenario.seconds - scenario.warm_up_seconds;
  return {
      {"name", scenario.name},
      {"seconds", scenario.seconds},
      {"requests",
       {{"arrived", stats.arrived},
        {"finished", stats.finished},
        {"refused", stats.refused},
        {"failed", stats.failed},
        {"moved", stats.moved},
        {"running", cluster.Running()}}},
      {"tokens", stats.tokens},
      {"tokens_per_second",
       counted > 0 ? static_cast<double>(stats.counted_tokens) / counted : 0},
      {"first_token", Times(stats.first_token)},
      {"between_tokens", Times(stats.between_tokens)},
      {"whole_request", Times(stats.whole_request)},
      {"dense_workers", Use(cluster.DenseUse())},
      {"expert_workers", Use(cluster.ExpertUse())},
      {"work", Work(stats)},
      {"network_bytes", cluster.bytes()},
      {"languages", languages},
      {"tokens_by_second", stats.tokens_by_second},
      {"between_tokens_p99_by_second", pauses},
      {"holders_by_second", stats.holders_by_second}};
}

std::string ReportTable(const Json& report) {
  const Json& requests = report["requests"];
  const Json& work = report["work"];
  std::string table = absl::StrFormat(
      "%s: %.1f s simulated\n%.1f tokens/s; requests: %d arrived, %d finished, "
      "%d refused, %d failed, %d moved, %d running at the end\n\n",
      report["name"].get<std::string>(), report["seconds"].get<double>(),
      report["tokens_per_second"].get<double>(), requests["arrived"].get<int>(),
      requests["finished"].get<int>(), requests["refused"].get<int>(),
      requests["failed"].get<int>(), requests["moved"].get<int>(),
      requests["running"].get<int>());
  absl::StrAppendFormat(&table, "%-22s %9s %9s %9s %9s %9s\n", "seconds",
                        "mean", "p50", "p90", "p99", "max");
  AddRow("first token", report["first_token"], table);
  AddRow("between tokens", report["between_tokens"], table);
  AddRow("whole request", report["whole_request"], table);
  for (const auto& [code, language] : report["languages"].items()) {
    AddRow(absl::StrCat("first token, ", code).c_str(), language["first_token"],
           table);
  }
  table += "\n";
  AddUse("dense workers", report["dense_workers"], table);
  AddUse("expert workers", report["expert_workers"], table);
  absl::StrAppendFormat(
      &table,
      "%.1f rows per dense step, %.1f per batch of an expert worker\n"
      "%.1f%% of expert choices computed by another worker; %.1f%% of "
      "sequences placed with their family's expert\n"
      "%d expert loads, %d moves of placement, %d rows replayed, %d rows "
      "computed again after "
      "preemption\n",
      work["rows_per_dense_step"].get<double>(),
      work["rows_per_batch"].get<double>(),
      100 * work["off_worker_share"].get<double>(),
      100 * work["resident_share"].get<double>(),
      work["expert_loads"].get<std::uint64_t>(),
      work["expert_moves"].get<std::uint64_t>(),
      work["replayed_rows"].get<std::uint64_t>(),
      work["preempted_rows"].get<std::uint64_t>());
  return table;
}

}  // namespace apollo::simulate
