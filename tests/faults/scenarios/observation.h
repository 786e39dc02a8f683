#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <vector>

#include "tests/faults/trial/trial.h"

namespace apollo {

// A time in which streams ran.
struct Period {
  absl::Duration from, until;
};

// Lets the streams run for some rounds. UNAVAILABLE if they do not go on.
absl::StatusOr<Period> Observe(Trial& trial);

// Lets the streams run until they are out of step: they begin together, and
// while all prompts are computed at the same time no answer waits for one.
// UNAVAILABLE if they do not go on.
absl::Status AwaitMixedStreams(Trial& trial);

// Returns the 99th percentile of the times between two tokens that begin in one
// of the periods, of the transcripts that count.
absl::Duration GapP99(const Trial& trial, const std::vector<Period>& periods,
                      const Counts& counts = nullptr);

// Returns the same for the undisturbed time before and after a fault, and adds
// the figures of each and of both.
absl::Duration UndisturbedGapP99(Trial& trial, const Period& before,
                                 const Period& after,
                                 const Counts& counts = nullptr);

}  // namespace apollo
