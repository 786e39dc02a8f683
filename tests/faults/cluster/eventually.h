#pragma once

#include <absl/time/clock.h>
#include <absl/time/time.h>

#include "common/clock.h"

namespace apollo {

// Returns the machine's monotonic time.
inline absl::Duration Now() { return Clock::Real().Now(); }

// Polls done() until it returns true. Returns false if that has not happened
// within `limit`.
template <typename Done>
bool Eventually(absl::Duration limit, Done done) {
  const absl::Duration end = Now() + limit;
  while (!done()) {
    if (Now() >= end) return false;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return true;
}

}  // namespace apollo
