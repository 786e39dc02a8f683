#pragma once

#include <absl/time/time.h>

#include <cstdint>

namespace apollo {

// Bounds of what waits for one sequence's router.
struct RunLimits {
  // Bytes of events that the router has not taken, as they travel, from which
  // on the sequence rests until a quarter of them is left.
  std::int64_t output_bytes = 256 << 10;
  // How long it rests at most, before the call is ended.
  absl::Duration stalled_router_timeout = absl::Seconds(60);
};

}  // namespace apollo
