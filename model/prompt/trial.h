#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstddef>
#include <functional>

namespace apollo {

// Bounds of a trial.
struct TrialLimits {
  absl::Duration time = absl::Seconds(10);  // Of processor time.
  // Above what is in use. Unlimited where the system does not say how much that
  // is (/proc is not mounted).
  std::size_t memory_bytes = std::size_t{1} << 30;
};

// Runs `work` in a child process, because a library that interprets a file may
// loop, use all memory, exhaust its stack or divide by zero. Returns the status
// of `work`, or INVALID_ARGUMENT ("it needs more than ...", "it crashes ...")
// if it does not return within the limits. What `work` changes is lost.
//
// The child is a fork: `work` must not wait for other threads of this process.
absl::Status TryInChild(const std::function<absl::Status()>& work,
                        const TrialLimits& limits = {});

}  // namespace apollo
