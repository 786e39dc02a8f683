// The messages of a link, of any bytes, are either refused or decoded to frames
// that can be sent on. The input is a series of messages, each after its size.

#include <google/protobuf/io/coded_stream.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "common/check.h"
#include "link/frame_codec.h"

namespace apollo {
namespace {

void SendOn(const Frame& frame) {
  FrameDecoder decoder;
  std::optional<Frame> again;
  for (const auto& message : EncodeFrame(frame, 0)) {
    APOLLO_CHECK(!again.has_value());
    absl::StatusOr<std::optional<Frame>> next = decoder.Add(message);
    APOLLO_CHECK(next.ok());
    again = *std::move(next);
  }
  APOLLO_CHECK(again.has_value());
  APOLLO_CHECK(again->body.index() == frame.body.index());
}

void CheckRefusal(const absl::Status& status) {
  APOLLO_CHECK(status.code() == absl::StatusCode::kInvalidArgument ||
               status.code() == absl::StatusCode::kDataLoss);
  APOLLO_CHECK(!status.message().empty());
}

}  // namespace
}  // namespace apollo

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  google::protobuf::io::CodedInputStream input(data, static_cast<int>(size));
  apollo::FrameDecoder decoder;
  std::uint32_t length = 0;
  while (input.ReadVarint32(&length)) {
    const auto limit = input.PushLimit(static_cast<int>(length & 0xffff));
    apollo::internal::v1::LinkMessage message;
    if (!message.ParseFromCodedStream(&input)) break;
    input.PopLimit(limit);
    absl::StatusOr<std::optional<apollo::Frame>> frame = decoder.Add(message);
    if (!frame.ok()) {
      // A link ends with its first error.
      apollo::CheckRefusal(frame.status());
      break;
    }
    if (frame->has_value()) apollo::SendOn(**frame);
  }
  return 0;
}
