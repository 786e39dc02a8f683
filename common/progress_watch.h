#pragma once

#include <absl/time/time.h>

#include <algorithm>
#include <cstdint>

#include "common/clock.h"
#include "common/mutex.h"

namespace apollo {

// Judges a number that changes while somebody makes progress. Only time in
// which it is asked counts: if the whole process has stood still, and nobody
// could make progress, the first question afterwards finds no standstill.
// Thread-safe.
class ProgressWatch {
 public:
  explicit ProgressWatch(absl::Duration limit,
                         const Clock& clock = Clock::Real())
      : limit_(limit), clock_(clock) {}

  // The time between two calls counts as this much at most.
  static constexpr absl::Duration kLongestGap = absl::Seconds(1);

  // Takes the current value. Returns false if all calls have seen this value
  // for longer than `limit`. Called several times a second.
  bool Moves(std::uint64_t value) {
    const absl::Duration now = clock_.Now();
    MutexLock lock(mutex_);
    if (!seen_ || value != value_) {
      seen_ = true;
      value_ = value;
      stood_ = absl::ZeroDuration();
    } else {
      stood_ += std::min(now - asked_, kLongestGap);
    }
    asked_ = now;
    return stood_ <= limit_;
  }

 private:
  const absl::Duration limit_;
  const Clock& clock_;
  Mutex mutex_;
  bool seen_ ABSL_GUARDED_BY(mutex_) = false;
  std::uint64_t value_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration stood_ ABSL_GUARDED_BY(mutex_);  // How long value_ has.
  absl::Duration asked_ ABSL_GUARDED_BY(mutex_);  // The last time.
};

}  // namespace apollo
