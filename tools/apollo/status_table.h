#pragma once

#include <string>

#include "proto/apollo/v1/inference.pb.h"

namespace apollo::client {

// Returns a table of the processes, a line for each below a line of titles.
// Reasons follow on lines of their own. `server` is the address of the router.
std::string StatusTable(const v1::GetStatusResponse& status,
                        const std::string& server);

// Returns true if every process is ready.
bool AllReady(const v1::GetStatusResponse& status);

}  // namespace apollo::client
