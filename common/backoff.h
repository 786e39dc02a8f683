#pragma once

#include <absl/time/time.h>

#include <algorithm>

namespace apollo {

// Exponentially growing pauses between retries, up to a maximum.
// Single-threaded.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration longest)
      : first_(first), longest_(longest), next_(first) {}

  // Returns the pause before the next retry.
  absl::Duration Next() {
    const absl::Duration pause = next_;
    next_ = std::min(2 * next_, longest_);
    return pause;
  }

  // Restarts with the first pause, after a success.
  void Reset() { next_ = first_; }

 private:
  const absl::Duration first_, longest_;
  absl::Duration next_;
};

}  // namespace apollo
