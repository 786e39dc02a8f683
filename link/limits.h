#pragma once

#include <absl/time/time.h>

#include <cstddef>

namespace apollo {

// The largest message that an expert worker accepts. One has the header of a
// frame and a piece of its payload. The headers of steps are the large ones:
// with each sequence that begins behind held blocks come the hashes of its
// whole beginning (SequenceRows::block_hashes), a byte for each of its tokens.
inline constexpr int kMaxLinkMessageBytes = 16 << 20;

// The bounds of one link, in each direction. docs/limits.md explains them.
// Correct peers stay far below: they have few steps in flight.
struct LinkLimits {
  // Link::HasRoom is false from this many bytes of queued frames.
  std::size_t watermark_bytes = std::size_t{32} << 20;
  // A link ends with RESOURCE_EXHAUSTED if a frame is sent while this many
  // bytes are queued.
  std::size_t queue_bytes = std::size_t{256} << 20;
  // It also ends if at least `watermark_bytes` are queued and the peer has
  // taken none of them for this long.
  absl::Duration stalled_after = absl::Seconds(30);
  // Reading pauses while this many bytes of received frames are unhandled.
  std::size_t unhandled_bytes = std::size_t{64} << 20;
  // The maximum size of the first frame from a peer, which is unknown so far.
  std::size_t first_frame_bytes = std::size_t{64} << 10;
};

}  // namespace apollo
