#pragma once

#include <absl/time/time.h>

namespace apollo {

// Monotonic time, replaceable in tests. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Returns the time since an arbitrary fixed point. Never decreases.
  virtual absl::Duration Now() const = 0;

  // Returns the machine's monotonic clock, which lives as long as the process.
  static const Clock& Real();
};

}  // namespace apollo
