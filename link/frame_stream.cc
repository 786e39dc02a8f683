#include "link/frame_stream.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "common/check.h"

namespace apollo {

FrameStream::FrameStream(std::function<void(const Message*)> start_write,
                         std::function<void()> start_read, LinkLimits limits,
                         const Clock& clock)
    : start_write_(std::move(start_write)),
      limits_(limits),
      clock_(clock),
      unhandled_(Backlog::Make(limits.unhandled_bytes, std::move(start_read))) {
}

void FrameStream::SetHandler(std::shared_ptr<FrameHandler> handler) {
  MutexLock lock(receive_mutex_);
  handler_ = std::move(handler);
}

absl::Status FrameStream::Send(const Frame& frame) {
  // While reading is held up, the count says nothing about the network.
  const bool reads = !unhandled_->WaitsForRoom();
  MutexLock lock(mutex_);
  if (stopped_) return absl::OkStatus();
  const absl::Duration waited =
      writing_ ? clock_.Now() - write_began_ : absl::ZeroDuration();
  if (outgoing_bytes_ >= limits_.queue_bytes ||
      (outgoing_bytes_ >= limits_.watermark_bytes &&
       waited > limits_.stalled_after)) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the peer does not read: ", outgoing_bytes_, " bytes wait, the oldest ",
        "for ", absl::FormatDuration(absl::Trunc(waited, absl::Seconds(1)))));
  }
  for (Message& message : EncodeFrame(frame, frames_sent_)) {
    if (message.has_progress() && reads) {
      message.mutable_progress()->set_received(messages_received_);
    }
    outgoing_bytes_ += message.ByteSizeLong();
    outgoing_.push_back(std::move(message));
    ++messages_sent_;
  }
  ++frames_sent_;
  if (!writing_) {
    writing_ = true;
    write_began_ = clock_.Now();
    start_write_(&outgoing_.front());
  }
  return absl::OkStatus();
}

bool FrameStream::HasRoom() {
  MutexLock lock(mutex_);
  if (stopped_ || outgoing_bytes_ < limits_.watermark_bytes) return true;
  room_wanted_ = true;
  return false;
}

bool FrameStream::WriteDone(bool ok) {
  bool room = false;
  bool rests = false;
  {
    MutexLock lock(mutex_);
    APOLLO_CHECK(writing_);
    outgoing_bytes_ -= outgoing_.front().ByteSizeLong();
    outgoing_.pop_front();
    rests = !ok || stopped_ || outgoing_.empty();
    if (rests) {
      writing_ = false;
    } else {
      write_began_ = clock_.Now();
      start_write_(&outgoing_.front());
    }
    room = room_wanted_ && ok && !stopped_ &&
           outgoing_bytes_ <= limits_.watermark_bytes / 2;
    if (room) room_wanted_ = false;
  }
  if (room) {
    std::shared_ptr<FrameHandler> handler;
    {
      MutexLock lock(receive_mutex_);
      handler = handler_;
    }
    if (handler) handler->OnWritable();
  }
  return rests;
}

absl::Status FrameStream::Received(const Message& message) {
  MutexLock lock(receive_mutex_);
  const std::size_t bytes = message.ByteSizeLong();
  // The peer is unknown so far: it gets no more memory than a hello takes.
  if (first_frame_ && (bytes > limits_.first_frame_bytes ||
                       message.payload_bytes() > limits_.first_frame_bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the first frame has ", bytes, " bytes and announces ",
                     message.payload_bytes(), " more; it may have at most ",
                     limits_.first_frame_bytes));
  }
  absl::StatusOr<std::optional<Frame>> frame = decoder_.Add(message);
  if (!frame.ok()) return frame.status();
  ++messages_received_;
  frame_bytes_ += bytes;
  if (!*frame) {
    if (handler_) handler_->OnPiece();
    return absl::OkStatus();
  }
  first_frame_ = false;
  (*frame)->receipt = unhandled_->Add(std::exchange(frame_bytes_, 0));
  (*frame)->sent = messages_sent_;
  if (handler_) handler_->OnFrame(*std::move(*frame));
  return absl::OkStatus();
}

bool FrameStream::StopWriting() {
  MutexLock lock(mutex_);
  stopped_ = true;
  return !writing_;
}

bool FrameStream::Stop(absl::Status reason) {
  MutexLock lock(mutex_);
  stopped_ = true;
  if (!reason_) reason_ = std::move(reason);
  return !writing_;
}

void FrameStream::Closed() {
  StopReading();
  absl::Status reason;
  {
    MutexLock lock(mutex_);
    reason = reason_.value_or(absl::OkStatus());
    outgoing_.clear();
  }
  std::shared_ptr<FrameHandler> handler;
  {
    MutexLock lock(receive_mutex_);
    handler = std::move(handler_);
    handler_ = nullptr;
  }
  if (handler) handler->OnClosed(std::move(reason));
}

}  // namespace apollo
