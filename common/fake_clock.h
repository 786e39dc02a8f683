#pragma once

#include "common/clock.h"

namespace apollo {

// A clock that the test sets. Not thread-safe.
class FakeClock final : public Clock {
 public:
  absl::Duration Now() const override { return now; }

  absl::Duration now = absl::Seconds(1000);
};

}  // namespace apollo
