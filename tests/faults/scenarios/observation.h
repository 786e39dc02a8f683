#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "tests/faults/trial/trial.h"

namespace apollo {

// A time in which streams ran.
struct Period {
  absl::Duration from, until;
};

// Lets the streams run for some rounds. UNAVAILABLE if they do not go on.
absl::StatusOr<Period> Observe(Trial& trial);

// Returns the 99th percentile of the times between two tokens that begin in the
// period, of the transcripts that count.
absl::Duration GapP99(const Trial& trial, const Period& period,
                      const Counts& counts = nullptr);

}  // namespace apollo
