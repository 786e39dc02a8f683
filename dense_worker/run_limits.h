#pragma once

#include <absl/time/time.h>

#include <cstdint>

namespace apollo {

// Bounds of the unread output of one sequence.
struct RunLimits {
  // Size on the wire, in bytes, of events not read by the router at which the
  // sequence pauses. It resumes when a quarter of that is left.
  std::int64_t output_bytes = 256 << 10;
  // The longest pause before the call is ended.
  absl::Duration stalled_router_timeout = absl::Seconds(60);
};

}  // namespace apollo
