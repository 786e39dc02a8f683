#pragma once

#include <absl/time/time.h>

#include <algorithm>

namespace apollo {

// Pauses before tries of the same thing: each twice as long as the one before,
// up to a longest one. One thread.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration longest)
      : first_(first), longest_(longest), next_(first) {}

  // The pause before the next try.
  absl::Duration Next() {
    const absl::Duration pause = next_;
    next_ = std::min(2 * next_, longest_);
    return pause;
  }

  // A try succeeded: pauses are short again.
  void Reset() { next_ = first_; }

 private:
  const absl::Duration first_, longest_;
  absl::Duration next_;
};

}  // namespace apollo
