#pragma once

#include <google/protobuf/io/coded_stream.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "link/frame_codec.h"

namespace apollo {

// Reads the input of a fuzz target as a series of actions.
class Script {
 public:
  Script(const std::uint8_t* data, std::size_t size)
      : in_(data, static_cast<int>(size)) {}

  // Returns the next byte; nullopt at the end.
  std::optional<std::uint8_t> Byte() {
    std::uint8_t byte = 0;
    if (!in_.ReadRaw(&byte, 1)) return std::nullopt;
    return byte;
  }
  // Returns the next byte, or 0 at the end.
  int Number() { return Byte().value_or(0); }
  // Returns the next text, which stands after its size; empty if that is wrong.
  std::string Text() {
    std::uint32_t size = 0;
    std::string text;
    if (!in_.ReadVarint32(&size) ||
        !in_.ReadString(&text, static_cast<int>(size & 0xffff))) {
      return "";
    }
    return text;
  }

 private:
  google::protobuf::io::CodedInputStream in_;
};

// Makes frames from messages of any bytes, whose numbers it sets right: the
// target of frames/ has wrong ones.
class FrameSource {
 public:
  // Returns an error if a link would end with the message; nullopt if it
  // completes no frame.
  absl::StatusOr<std::optional<Frame>> Add(const std::string& bytes) {
    internal::v1::LinkMessage message;
    if (!message.ParseFromString(bytes)) {
      return absl::InvalidArgumentError("not a message");
    }
    message.set_frame(frames_);
    auto frame = decoder_.Add(message);
    if (frame.ok() && frame->has_value()) ++frames_;
    return frame;
  }

 private:
  FrameDecoder decoder_;
  std::uint64_t frames_ = 0;
};

}  // namespace apollo
