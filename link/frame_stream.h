#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "common/clock.h"
#include "common/mutex.h"
#include "link/backlog.h"
#include "link/frame_codec.h"
#include "link/limits.h"
#include "link/link.h"
#include "proto/apollo/internal/v1/link.pb.h"

namespace apollo {

// The part of a gRPC link that client and server have in common: the queue of
// frames to write, one message at a time, and the assembly of received
// messages. It calls back to start writes and to resume reading after it was
// held up. The surrounding reactor reports when they are done. It counts the
// messages of both directions: see Progress::received and Frame::sent.
// Thread-safe.
class FrameStream {
 public:
  using Message = internal::v1::LinkMessage;

  // `start_write` starts writing a message, which stays valid until WriteDone.
  // It is never called after StopWriting or Stop has returned. `start_read`
  // resumes reading after MayRead has returned false. It is never called after
  // StopReading has returned. Both are called with a lock held. `clock` must
  // outlive the stream.
  FrameStream(std::function<void(const Message*)> start_write,
              std::function<void()> start_read, LinkLimits limits = {},
              const Clock& clock = Clock::Real());
  ~FrameStream() { StopReading(); }
  FrameStream(const FrameStream&) = delete;
  FrameStream& operator=(const FrameStream&) = delete;

  // Sets the receiver. Call it before the first message arrives.
  void SetHandler(std::shared_ptr<FrameHandler> handler);

  // Queues a frame, unless stopped. Drops it and returns RESOURCE_EXHAUSTED if
  // too much is queued or the peer has stopped reading; then the link must end.
  absl::Status Send(const Frame& frame);

  // See Link::HasRoom.
  bool HasRoom();

  // Handles the end of a write and starts the next one. Returns true if no
  // write is in progress then. May call the handler.
  bool WriteDone(bool ok);

  // Handles a message. An error means that the peer violated the protocol and
  // the link must end.
  absl::Status Received(const Message& message);

  // Returns true if the next message may be read now. Otherwise start_read is
  // called when it may.
  bool MayRead() { return unhandled_->HasRoom(); }

  // Prevents further writes. Returns true if none is in progress.
  bool StopWriting();

  // Prevents further calls of start_read. Returns true if reading was held up;
  // then no read is in progress, and none will be.
  bool StopReading() { return unhandled_->Stop(); }

  // Stops writing, and stores the reason for the end of the link; the first
  // reason counts. Returns true if no write is in progress.
  bool Stop(absl::Status reason);

  // Tells the handler once that the link has ended, with the reason.
  void Closed();

 private:
  // Constant after construction.
  const std::function<void(const Message*)> start_write_;
  const LinkLimits limits_;
  const Clock& clock_;
  const std::shared_ptr<Backlog> unhandled_;  // Received frames.

  std::atomic<std::uint64_t> messages_sent_ = 0;  // Those that wait included.
  std::atomic<std::uint64_t> messages_received_ = 0;

  Mutex mutex_;
  std::deque<Message> outgoing_ ABSL_GUARDED_BY(mutex_);
  std::size_t outgoing_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // The time when the current write began.
  absl::Duration write_began_ ABSL_GUARDED_BY(mutex_);
  bool room_wanted_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> reason_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t frames_sent_ ABSL_GUARDED_BY(mutex_) = 0;

  Mutex receive_mutex_;
  FrameDecoder decoder_ ABSL_GUARDED_BY(receive_mutex_);
  std::size_t frame_bytes_ ABSL_GUARDED_BY(receive_mutex_) = 0;
  bool first_frame_ ABSL_GUARDED_BY(receive_mutex_) = true;
  std::shared_ptr<FrameHandler> handler_ ABSL_GUARDED_BY(receive_mutex_);
};

}  // namespace apollo
