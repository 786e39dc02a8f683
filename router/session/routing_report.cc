#include "router/session/routing_report.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

namespace apollo {
namespace {

std::string ReasonOf(const absl::Status& status) {
  return std::string(status.message().empty()
                         ? absl::StatusCodeToString(status.code())
                         : status.message());
}

}  // namespace

absl::StatusOr<RoutingReport> MergeRouting(
    const std::vector<WorkerRouting>& workers) {
  RoutingReport report;
  for (const WorkerRouting& worker : workers) {
    RoutingOrigin& origin = report.origins.emplace_back();
    origin.dense_worker = worker.worker;
    origin.answered = worker.counts.ok();
    if (!worker.counts.ok()) {
      origin.reason = ReasonOf(worker.counts.status());
      continue;
    }
    origin.covered = worker.counts->covered;
    AddRouting(*worker.counts, report.counts);
  }
  const bool any =
      std::any_of(report.origins.begin(), report.origins.end(),
                  [](const RoutingOrigin& origin) { return origin.answered; });
  if (any) return report;
  std::string problem = "no dense worker is known";
  if (!report.origins.empty()) {
    problem = absl::StrCat(
        "none of ", report.origins.size(), " dense workers answered; ",
        report.origins[0].dense_worker, ": ", report.origins[0].reason);
  }
  return absl::UnavailableError(absl::StrCat(problem, "; try again"));
}

}  // namespace apollo
