#pragma once

#include <absl/time/time.h>

#include <cstddef>

namespace apollo {

// The bounds of one link, in each direction. docs/limits.md explains them.
// Correct peers stay far below: they have few steps under way at once.
struct LinkLimits {
  // From this many bytes of frames to send on, Link::HasRoom is false.
  std::size_t watermark_bytes = std::size_t{32} << 20;
  // A link that is to send while this many bytes wait already ends with
  // RESOURCE_EXHAUSTED.
  std::size_t queue_bytes = std::size_t{256} << 20;
  // So does one with a watermark's worth of bytes of which its peer has taken
  // none for so long.
  absl::Duration stalled_after = absl::Seconds(30);
  // While this many bytes of frames that came wait to be handled, no more are
  // read.
  std::size_t unhandled_bytes = std::size_t{64} << 20;
  // The first frame from a peer, which is not known yet.
  std::size_t first_frame_bytes = std::size_t{64} << 10;
};

}  // namespace apollo
