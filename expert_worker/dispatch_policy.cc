#include "expert_worker/dispatch_policy.h"

#include <algorithm>

namespace apollo {
namespace {

absl::Duration CostAtPeer(const RowsToPlace& rows, const DispatchCosts& costs) {
  const double bytes = 2.0 * static_cast<double>(rows.rows) *
                       static_cast<double>(rows.bytes_per_row);
  return std::max(costs.hop, rows.slow_answer) +
         absl::Seconds(bytes / costs.link_bytes_per_second) +
         costs.row_before * static_cast<double>(*rows.rows_before);
}

absl::Duration CostHere(const RowsToPlace& rows, const DispatchCosts& costs) {
  return absl::Seconds(static_cast<double>(*rows.bytes_to_load) /
                       costs.load_bytes_per_second);
}

}  // namespace

RowsPlace PlaceRows(const RowsToPlace& rows, const DispatchCosts& costs) {
  if (!rows.bytes_to_load) {
    return rows.rows_before ? RowsPlace::kPeer : RowsPlace::kNowhere;
  }
  if (!rows.rows_before) return RowsPlace::kHere;
  return CostHere(rows, costs) < CostAtPeer(rows, costs) ? RowsPlace::kHere
                                                         : RowsPlace::kPeer;
}

}  // namespace apollo
