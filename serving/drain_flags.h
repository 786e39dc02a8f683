#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

namespace apollo {

// How a process ends after SIGTERM or SIGINT (docs/deployment.md).
struct DrainOptions {
  // Sequences move to other workers where there are some; otherwise, and
  // always without this, they finish here.
  bool move = true;
  // Time that sequences or calls have to finish or to move.
  absl::Duration timeout = absl::Seconds(30);
};

// Reads --drain and --drain_timeout. Call after absl::ParseCommandLine. Returns
// INVALID_ARGUMENT naming a flag whose value is out of range.
absl::StatusOr<DrainOptions> ReadDrainFlags();

}  // namespace apollo
