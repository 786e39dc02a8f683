#include "link/frame_stream.h"

#include <utility>

#include "common/check.h"

namespace apollo {

void FrameStream::SetHandler(std::shared_ptr<FrameHandler> handler) {
  MutexLock lock(receive_mutex_);
  handler_ = std::move(handler);
}

void FrameStream::Send(const Frame& frame) {
  MutexLock lock(mutex_);
  if (stopped_) return;
  for (Message& message : EncodeFrame(frame, frames_sent_)) {
    outgoing_.push_back(std::move(message));
  }
  ++frames_sent_;
  if (!writing_) {
    writing_ = true;
    start_write_(&outgoing_.front());
  }
}

bool FrameStream::WriteDone(bool ok) {
  MutexLock lock(mutex_);
  APOLLO_CHECK(writing_);
  outgoing_.pop_front();
  if (!ok || stopped_ || outgoing_.empty()) {
    writing_ = false;
    return true;
  }
  start_write_(&outgoing_.front());
  return false;
}

absl::Status FrameStream::Received(const Message& message) {
  MutexLock lock(receive_mutex_);
  absl::StatusOr<std::optional<Frame>> frame = decoder_.Add(message);
  if (!frame.ok()) return frame.status();
  if (*frame && handler_) handler_->OnFrame(*std::move(*frame));
  return absl::OkStatus();
}

void FrameStream::StopWriting() {
  MutexLock lock(mutex_);
  stopped_ = true;
}

bool FrameStream::Stop(absl::Status reason) {
  MutexLock lock(mutex_);
  stopped_ = true;
  if (!reason_) reason_ = std::move(reason);
  return !writing_;
}

void FrameStream::Closed() {
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
