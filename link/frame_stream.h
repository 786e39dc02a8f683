#pragma once

#include <absl/status/status.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "common/mutex.h"
#include "link/frame_codec.h"
#include "link/link.h"
#include "proto/apollo/internal/v1/worker.pb.h"

namespace apollo {

// The state of one gRPC link that client and server share: frames waiting to be
// written, one message at a time, and the messages that arrive. It calls back
// to start writes; the reactor around it reports when they are done.
// Thread-safe.
class FrameStream {
 public:
  using Message = internal::v1::LinkMessage;

  // `start_write` starts writing a message that stays valid until WriteDone. It
  // is called with a lock held, and never after StopWriting or Stop has
  // returned.
  explicit FrameStream(std::function<void(const Message*)> start_write)
      : start_write_(std::move(start_write)) {}

  // Who receives. Set before the first message arrives.
  void SetHandler(std::shared_ptr<FrameHandler> handler);

  // Queues a frame, unless stopped.
  void Send(const Frame& frame);

  // A write ended; starts the next. Returns true if writing has come to rest.
  bool WriteDone(bool ok);

  // A message arrived. Not OK: the peer broke the rules, and the link must end.
  absl::Status Received(const Message& message);

  // No writes are started any more.
  void StopWriting();

  // The same, and notes why the link ends; the first reason counts. Returns
  // true if no write is under way.
  bool Stop(absl::Status reason);

  // Tells the handler, once, with the reason.
  void Closed();

 private:
  Mutex mutex_;
  const std::function<void(const Message*)> start_write_;
  std::deque<Message> outgoing_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> reason_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t frames_sent_ ABSL_GUARDED_BY(mutex_) = 0;

  Mutex receive_mutex_;
  FrameDecoder decoder_ ABSL_GUARDED_BY(receive_mutex_);
  std::shared_ptr<FrameHandler> handler_ ABSL_GUARDED_BY(receive_mutex_);
};

}  // namespace apollo
