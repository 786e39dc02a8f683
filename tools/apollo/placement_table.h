#pragma once

#include <cstdint>
#include <string>

#include "proto/apollo/v1/inference.pb.h"

namespace apollo::client {

// Returns a table of experts for each expert worker, below its name: what it
// holds, why and since when, and what it needed lately. `now`: seconds since
// 1970.
std::string PlacementTable(const v1::GetStatusResponse& status,
                           std::int64_t now);

}  // namespace apollo::client
