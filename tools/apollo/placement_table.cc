#include "tools/apollo/placement_table.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/strip.h>

#include <cstdint>
#include <vector>

#include "tools/apollo/aligned_rows.h"
#include "tools/apollo/time_span.h"
#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

// Returns "standby" for EXPERT_HOLD_STANDBY. Unknown values stay numbers.
std::string HoldName(v1::ExpertHold hold) {
  const std::string& name = v1::ExpertHold_Name(hold);
  if (name.empty()) return absl::StrCat("value ", static_cast<int>(hold));
  return absl::AsciiStrToLower(absl::StripPrefix(name, "EXPERT_HOLD_"));
}

TableRow RowOf(const v1::PlacedExpert& placed, std::int64_t now) {
  const auto since = static_cast<std::int64_t>(placed.since());
  return {absl::StrCat(placed.layer()),
          absl::StrCat(placed.expert()),
          HoldName(placed.hold()),
          since == 0 ? "-" : SpanText(now - since),
          absl::StrCat(placed.own_rows()),
          absl::StrCat(placed.absent_rows()),
          absl::StrCat(placed.guest_rows())};
}

TableRow RowOf(const v1::LayerPlacement& layer) {
  return {absl::StrCat(layer.layer()),       absl::StrCat(layer.kept()),
          absl::StrCat(layer.standby()),     absl::StrCat(layer.own_rows()),
          absl::StrCat(layer.absent_rows()), absl::StrCat(layer.guest_rows())};
}

// Returns the experts, or the layers if the answer has only their sums.
std::vector<TableRow> RowsOf(const v1::PlacementReport& placement,
                             std::int64_t now) {
  std::vector<TableRow> rows;
  if (!placement.layers().empty()) {
    rows.push_back(
        {"layer", "kept", "standby", "own rows", "absent", "guests"});
    for (const v1::LayerPlacement& layer : placement.layers()) {
      rows.push_back(RowOf(layer));
    }
    return rows;
  }
  rows.push_back(
      {"layer", "expert", "held", "for", "own rows", "absent", "guests"});
  for (const v1::PlacedExpert& placed : placement.experts()) {
    rows.push_back(RowOf(placed, now));
  }
  return rows;
}

std::string TextOf(const v1::ProcessStatus& process, std::int64_t now) {
  std::string text = absl::StrCat(
      process.name().empty() ? process.address() : process.name(), "\n");
  const v1::PlacementReport& placement = process.placement();
  if (placement.experts().empty() && placement.layers().empty()) {
    return absl::StrCat(text, "  reports no placement\n");
  }
  for (const std::string& line : AlignedRows(RowsOf(placement, now))) {
    absl::StrAppend(&text, "  ", line, "\n");
  }
  if (!placement.last_move().empty()) {
    const auto at = static_cast<std::int64_t>(placement.last_move_at());
    absl::StrAppend(&text, "  last move, ", SpanText(now - at),
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
