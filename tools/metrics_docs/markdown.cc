#include "tools/metrics_docs/markdown.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <map>

namespace apollo {
namespace {

const char* NameOf(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return "counter";
    case MetricKind::kGauge:
      return "gauge";
    case MetricKind::kHistogram:
      return "histogram";
  }
  return "";
}

// Returns the letters of programs: R, D, E and L.
std::string Letters(const std::set<Program>& programs) {
  const std::map<Program, std::string> letters = {{Program::kRouter, "R"},
                                                  {Program::kDenseWorker, "D"},
                                                  {Program::kExpertWorker, "E"},
                                                  {Program::kLocal, "L"}};
  std::string text;
  for (const Program program : programs) text += letters.at(program);
  return text;
}

}  // namespace

std::string ToMarkdown(const std::vector<ListedMetric>& metrics) {
  std::string text =
      "| metric | type | programs | samples | meaning |\n"
      "|---|---|---|---|---|\n";
  for (const ListedMetric& metric : metrics) {
    std::string name = metric.facts.name;
    if (!metric.facts.labels.empty()) {
      absl::StrAppend(&name, "{", absl::StrJoin(metric.facts.labels, ","), "}");
    }
    absl::StrAppend(&text, "| `", name, "` | ", NameOf(metric.facts.kind),
                    " | ", Letters(metric.programs), " | ",
                    metric.facts.most_samples, " | ", metric.facts.help,
                    " |\n");
  }
  absl::StrAppend(&text, "\n| program | most samples |\n|---|---|\n");
  for (const auto& [program, samples] : MostSamples(metrics)) {
    absl::StrAppend(&text, "| `", NameOf(program), "` | ", samples, " |\n");
  }
  return text;
}

std::string ToNames(const std::vector<ListedMetric>& metrics) {
  std::string text;
  for (const ListedMetric& metric : metrics) {
    absl::StrAppend(&text, metric.facts.name, " ", NameOf(metric.facts.kind),
                    "\n");
  }
  return text;
}

absl::StatusOr<std::string> WithTables(std::string_view document,
                                       std::string_view tables) {
  const std::size_t begin = document.find(kTablesBegin);
  const std::size_t end = document.find(kTablesEnd);
  if (begin == std::string_view::npos || end == std::string_view::npos ||
      begin > end || document.rfind(kTablesBegin) != begin ||
      document.rfind(kTablesEnd) != end) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the document must have each of these lines once, in this order: ",
        std::string(kTablesBegin), std::string(kTablesEnd)));
  }
  std::string text(document.substr(0, begin + kTablesBegin.size()));
  text += tables;
  text += document.substr(end);
  return text;
}

}  // namespace apollo
