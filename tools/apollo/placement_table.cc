#include "tools/apollo/placement_table.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/strip.h>

#include <algorithm>
#include <vector>

#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

using Row = std::vector<std::string>;

// Returns "standby" for EXPERT_HOLD_STANDBY. Unknown values stay numbers.
std::string HoldName(v1::ExpertHold hold) {
  const std::string& name = v1::ExpertHold_Name(hold);
  if (name.empty()) return absl::StrCat("value ", static_cast<int>(hold));
  return absl::AsciiStrToLower(absl::StripPrefix(name, "EXPERT_HOLD_"));
}

// Returns the time since `then` in its largest whole unit.
std::string Age(std::int64_t then, std::int64_t now) {
  const std::int64_t seconds = std::max<std::int64_t>(now - then, 0);
  if (seconds < 120) return absl::StrCat(seconds, "s");
  if (seconds < 3600) return absl::StrCat(seconds / 60, "m");
  if (seconds < 48 * 3600) return absl::StrCat(seconds / 3600, "h");
  return absl::StrCat(seconds / 86400, "d");
}

Row RowOf(const v1::PlacedExpert& placed, std::int64_t now) {
  const auto since = static_cast<std::int64_t>(placed.since());
  return {absl::StrCat(placed.layer()),     absl::StrCat(placed.expert()),
          HoldName(placed.hold()),          since == 0 ? "-" : Age(since, now),
          absl::StrCat(placed.own_rows()),  absl::StrCat(placed.absent_rows()),
          absl::StrCat(placed.guest_rows())};
}

std::string Aligned(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows[0].size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      absl::StrAppendFormat(&line, "  %-*s", static_cast<int>(widths[i]),
                            row[i]);
    }
    absl::StrAppend(&text, absl::StripTrailingAsciiWhitespace(line), "\n");
  }
  return text;
}

std::string TextOf(const v1::ProcessStatus& process, std::int64_t now) {
  std::string text = absl::StrCat(
      process.name().empty() ? process.address() : process.name(), "\n");
  const v1::PlacementReport& placement = process.placement();
  if (placement.experts().empty()) {
    return absl::StrCat(text, "  reports no placement\n");
  }
  std::vector<Row> rows = {
      {"layer", "expert", "held", "for", "own rows", "absent", "guests"}};
  for (const v1::PlacedExpert& placed : placement.experts()) {
    rows.push_back(RowOf(placed, now));
  }
  absl::StrAppend(&text, Aligned(rows));
  if (!placement.last_move().empty()) {
    const auto at = static_cast<std::int64_t>(placement.last_move_at());
    absl::StrAppend(&text, "  last move, ", Age(at, now),
                    " ago: ", placement.last_move(), "\n");
  }
  return text;
}

}  // namespace

std::string PlacementTable(const v1::GetStatusResponse& status,
                           std::int64_t now) {
  std::string text;
  for (const v1::ProcessStatus& process : status.processes()) {
    if (process.role() != v1::PROCESS_ROLE_EXPERT_WORKER) continue;
    absl::StrAppend(&text, TextOf(process, now));
  }
  return ForTerminal(text);
}

}  // namespace apollo::client
