#pragma once

#include <absl/status/status.h>

#include <string>
#include <vector>

#include "tests/faults/trial/trial.h"

namespace apollo {

// Kills `victims` (SIGKILL), waits until every stream has gone on, starts the
// victims again and waits until the cluster is whole.
absl::Status KillAndRestore(Trial& trial,
                            const std::vector<std::string>& victims);

// Starts the streams and, at as many random moments, kills one process of a
// kind as KillAndRestore does. Then ends the streams, checks them and the
// growth of the processes.
absl::Status KillAtMoments(Trial& trial, ProcessKind kind, int moments);

}  // namespace apollo
