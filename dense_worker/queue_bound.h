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

}  // namespace apollo
