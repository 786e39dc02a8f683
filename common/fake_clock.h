#pragma once

#include "common/clock.h"
#include "common/mutex.h"

namespace apollo {

// A clock that the test sets. Not thread-safe.
class FakeClock final : public Clock {
 public:
  absl::Duration Now() const override { return now; }

  absl::Duration now = absl::Seconds(1000);
};

// A clock that the test moves while other threads read it. Thread-safe.
class SharedClock final : public Clock {
 public:
  absl::Duration Now() const override {
    MutexLock lock(mutex_);
    return now_;
  }
  void Pass(absl::Duration time) {
    MutexLock lock(mutex_);
    now_ += time;
  }

 private:
  mutable Mutex mutex_;
  absl::Duration now_ ABSL_GUARDED_BY(mutex_) = absl::Seconds(1000);
};

}  // namespace apollo
