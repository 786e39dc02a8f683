#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstddef>
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

// The state of one gRPC link that client and server share: frames waiting to be
// written, one message at a time, and the messages that arrive. It calls back
// to start writes and, where reading was held up, to read on; the reactor
// around it reports when they are done. Thread-safe.
class FrameStream {
 public:
  using Message = internal::v1::LinkMessage;

  // `start_write` starts writing a message that stays valid until WriteDone. It
  // is called with a lock held, and never after StopWriting or Stop has
  // returned. `start_read` reads on after MayRead was false; it is called with
  // a lock held, and never after StopReading has returned. `clock` must
  // outlive the stream.
  FrameStream(std::function<void(const Message*)> start_write,
              std::function<void()> start_read, LinkLimits limits = {},
              const Clock& clock = Clock::Real());
  ~FrameStream() { StopReading(); }
  FrameStream(const FrameStream&) = delete;
  FrameStream& operator=(const FrameStream&) = delete;

  // Who receives. Set before the first message arrives.
  void SetHandler(std::shared_ptr<FrameHandler> handler);

  // Queues a frame, unless stopped. RESOURCE_EXHAUSTED, dropping it, if too
  // much waits already or the peer has stopped reading: the link must end.
  absl::Status Send(const Frame& frame);

  // See Link::HasRoom.
  bool HasRoom();

  // A write ended; starts the next. Returns true if writing has come to rest.
  // The handler may be called.
  bool WriteDone(bool ok);

  // A message arrived. Not OK: the peer broke the rules, and the link must end.
  absl::Status Received(const Message& message);

  // Returns true if the next message may be read now; if not, start_read is
  // called once it may.
  bool MayRead() { return unhandled_->HasRoom(); }

  // No writes are started any more. Returns true if none is under way.
  bool StopWriting();

  // Reading does not go on by itself any more. Returns true if it was held up:
  // then no read is under way, and none will be.
  bool StopReading() { return unhandled_->Stop(); }

  // Stops writing, and notes why the link ends; the first reason counts.
  // Returns true if no write is under way.
  bool Stop(absl::Status reason);

  // Tells the handler, once, with the reason.
  void Closed();

 private:
  // Constant after construction.
  const std::function<void(const Message*)> start_write_;
  const LinkLimits limits_;
  const Clock& clock_;
  const std::shared_ptr<Backlog> unhandled_;  // Frames that came.

  Mutex mutex_;
  std::deque<Message> outgoing_ ABSL_GUARDED_BY(mutex_);
  std::size_t outgoing_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // When the write under way began.
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
