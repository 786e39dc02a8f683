#pragma once

#include <absl/time/time.h>

#include <chrono>

// Deadlines of calls. gRPC states them in the system's time, and sends the time
// that is left, so the clocks of two machines need not agree;
// GenerationRequest::deadline is a time of a Clock.
namespace apollo {

// Returns the deadline of a call by the clock, on which it is `clock_now` when
// the system's time is `now`. A call without a deadline has an infinite one.
absl::Duration DeadlineOnClock(std::chrono::system_clock::time_point deadline,
                               std::chrono::system_clock::time_point now,
                               absl::Duration clock_now);

// Returns the reverse. More than 100 years count as infinite.
std::chrono::system_clock::time_point DeadlineOfCall(
    absl::Duration deadline, std::chrono::system_clock::time_point now,
    absl::Duration clock_now);

}  // namespace apollo
