#pragma once

#include <absl/time/time.h>

#include <cstdint>

#include "common/clock.h"
#include "common/mutex.h"

namespace apollo {

// Judges a number that changes while somebody makes progress. Thread-safe.
class ProgressWatch {
 public:
  explicit ProgressWatch(absl::Duration limit,
                         const Clock& clock = Clock::Real())
      : limit_(limit), clock_(clock) {}

  // Takes the current value. Returns false if the calls of the last `limit`,
  // and the last one before that, all saw this value.
  bool Moves(std::uint64_t value) {
    const absl::Duration now = clock_.Now();
    MutexLock lock(mutex_);
    if (!seen_ || value != value_) {
      seen_ = true;
      value_ = value;
      changed_ = now;
    }
    return now - changed_ <= limit_;
  }

 private:
  const absl::Duration limit_;
  const Clock& clock_;
  Mutex mutex_;
  bool seen_ ABSL_GUARDED_BY(mutex_) = false;
  std::uint64_t value_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration changed_ ABSL_GUARDED_BY(mutex_);  // When value_ was new.
};

}  // namespace apollo
