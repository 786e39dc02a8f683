#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "link/frame.h"
#include "proto/apollo/internal/v1/link.pb.h"

namespace apollo {

// The largest piece of a payload in one message. Larger gRPC messages are slow.
inline constexpr std::size_t kMaxPieceBytes = 1 << 20;

// Encodes a frame as one message, or several if the payload is split into
// pieces. `number` is the number of frames sent on this link before.
std::vector<internal::v1::LinkMessage> EncodeFrame(const Frame& frame,
                                                   std::uint64_t number);

// Assembles frames from messages. Single-threaded; one object per link and
// direction.
class FrameDecoder {
 public:
  // Takes the next message. Returns a frame when one is complete, nullopt when
  // pieces are missing or the message is a duplicate. Returns DATA_LOSS when
  // frames or pieces are missing, INVALID_ARGUMENT for a message that no
  // correct peer sends.
  absl::StatusOr<std::optional<Frame>> Add(
      const internal::v1::LinkMessage& message);

 private:
  absl::Status AddPiece(const internal::v1::LinkMessage& message);

  std::uint64_t next_number_ = 0;
  std::optional<Frame> partial_;     // Without its payload.
  std::vector<float> numbers_;       // Payload of the partial frame so far.
  std::uint64_t payload_bytes_ = 0;  // Total of the partial frame.
  std::uint64_t received_bytes_ = 0;
};

}  // namespace apollo
