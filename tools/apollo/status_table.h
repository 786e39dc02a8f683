#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/apollo/v1/inference.pb.h"
#include "tools/apollo/rates.h"

namespace apollo::client {

// The order of the processes of a table.
enum class StatusOrder {
  kRole,   // As the status has them: routers, dense workers, expert workers.
  kName,   // By name.
  kLoad,   // Most sequences and waiting rows first.
  kRate,   // The fastest first.
  kCache,  // The fullest first.
};

// Returns the order of that name: "role", "name", "load", "rate" or "cache";
// nullopt for others.
std::optional<StatusOrder> StatusOrderOf(std::string_view name);
std::string_view NameOf(StatusOrder order);

struct StatusView {
  std::int64_t now = 0;  // In seconds since 1970.
  StatusOrder order = StatusOrder::kRole;
  // The columns of models and versions.
  bool identity = true;
  // Null: no column of rates. Must outlive the call.
  const Rates* rates = nullptr;
};

// Returns a table of the processes, a line for each below a line of titles.
// Reasons follow on lines of their own; then the names of the families and, if
// the status has any, a table of callers. `status` is that of MergedStatus.
std::string StatusTable(const v1::GetStatusResponse& status,
                        const StatusView& view);

// Returns true if every process is ready. `status` is the answer of a router.
bool AllReady(const v1::GetStatusResponse& status);

}  // namespace apollo::client
