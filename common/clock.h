#pragma once

#include <absl/time/time.h>

namespace apollo {

// Monotonic time, as a seam for tests. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Time since an arbitrary fixed point; never goes back.
  virtual absl::Duration Now() const = 0;

  // The machine's monotonic clock. Lives for the whole process.
  static const Clock& Real();
};

}  // namespace apollo
