#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "common/clock.h"
#include "common/mutex.h"

namespace apollo {

// Bounds the log lines of one kind to a number each second. The next line can
// report those that were held back. Thread-safe.
class LogBudget {
 public:
  // For lines about single requests or sequences.
  static constexpr int kLines = 50;

  // The clock must outlive the budget.
  explicit LogBudget(const Clock& clock, int lines_per_second = kLines)
      : clock_(clock), lines_per_second_(lines_per_second) {}

  // Returns the number of lines held back since the last one if a line may be
  // written now. Otherwise counts this one as held back.
  std::optional<std::int64_t> Take() {
    const absl::Duration now = clock_.Now();
    MutexLock lock(mutex_);
    if (now - second_ >= absl::Seconds(1)) {
      second_ = now;
      written_ = 0;
    }
    if (written_ >= lines_per_second_) {
      ++held_back_;
      return std::nullopt;
    }
    ++written_;
    return std::exchange(held_back_, 0);
  }

 private:
  const Clock& clock_;
  const int lines_per_second_;
  Mutex mutex_;
  absl::Duration second_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  int written_ ABSL_GUARDED_BY(mutex_) = 0;  // Since second_.
  std::int64_t held_back_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace apollo
