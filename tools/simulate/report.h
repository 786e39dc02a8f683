#pragma once

#include <string>

#include "common/json.h"
#include "tools/simulate/cluster.h"
#include "tools/simulate/scenario.h"

namespace apollo::simulate {

// The result of a run. docs/simulation.md describes every key. Times are in
// seconds.
Json ReportJson(const Scenario& scenario, const Cluster& cluster);

// The same as a table for people.
std::string ReportTable(const Json& report);

}  // namespace apollo::simulate
