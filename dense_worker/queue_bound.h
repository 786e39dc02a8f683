#pragma once

#include <absl/status/status.h>

#include <cstdint>

namespace apollo {

// The sequences that wait for room, or may wait.
struct QueueSize {
  int sequences = 0;
  std::int64_t tokens = 0;  // Known ones: prompts, and answers so far.
};

// Returns OK if a sequence with this many tokens may wait behind `waiting`. It
// always may if nothing waits. Otherwise returns RESOURCE_EXHAUSTED with the
// number that is too large and its bound.
absl::Status CheckQueue(const QueueSize& bound, const QueueSize& waiting,
                        std::int64_t tokens);

// So many sequences may wait in any case: with few, the sizes of single ones
// decide how long that takes.
inline constexpr int kLeastWaiting = 16;

// Bounds the time for which a sequence waits in a queue that has no room, by
// that for which sequences run: a queue of `running` * `per_running` sequences
// is admitted in about `per_running` times as long as one runs, whatever that
// is. So what is admitted has its answer in about 1 + `per_running` times the
// usual time, and the rest is refused at once, instead of after a long wait.
//
// `running`: sequences that run, or ran when there was no room. `ahead`: those
// that wait and will not be overtaken by the new one. With a `per_running` of 0
// all may wait. Otherwise returns RESOURCE_EXHAUSTED with the numbers.
absl::Status CheckWait(double per_running, int running, int ahead);

}  // namespace apollo
