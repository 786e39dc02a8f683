#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "tools/metrics_docs/metric_list.h"

namespace apollo {

// Returns the tables of docs/metrics.md: all metrics, and the largest number of
// samples of each program.
std::string ToMarkdown(const std::vector<ListedMetric>& metrics);

// Returns a line for each metric: its name and its type, separated by a space.
std::string ToNames(const std::vector<ListedMetric>& metrics);

// The lines between which a document has the tables.
inline constexpr std::string_view kTablesBegin =
    "<!-- tables: bazel run //tools/metrics_docs -- --update -->\n";
inline constexpr std::string_view kTablesEnd = "<!-- end of tables -->\n";

// Returns the document with the part between these lines replaced. Returns
// INVALID_ARGUMENT if it does not have each of them once, in this order.
absl::StatusOr<std::string> WithTables(std::string_view document,
                                       std::string_view tables);

}  // namespace apollo
