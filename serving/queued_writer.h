#pragma once

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "common/mutex.h"

namespace apollo {

// Returns the approximate memory that a queued message takes, in bytes: its
// size on the wire.
template <typename Message>
std::size_t QueuedBytes(const Message& message) {
  return message.ByteSizeLong();
}
// The same for a serialized message, plus the overhead of the queue.
inline std::size_t QueuedBytes(const std::string& message) {
  return message.size() + 64;
}

template <typename Message>
Message Unchanged(Message message) {
  return message;
}

// A queue of messages for a streaming response, fed from any thread and written
// by gRPC one message at a time. Messages wait as `Queued`; kEncode converts
// each one to a `Message` when it is written. Subclasses implement the call
// itself and must bound the queue: see queued_bytes.
template <
    typename Message, typename Reactor = grpc::ServerWriteReactor<Message>,
    typename Queued = Message, Message (*kEncode)(Queued) = Unchanged<Message>>
class QueuedWriter : public Reactor {
 public:
  // Queues a message, or drops it after End.
  void Push(Queued message) {
    MutexLock lock(mutex_);
    if (status_) return;
    const std::size_t bytes = QueuedBytes(message);
    queued_bytes_ += bytes;
    queue_.push_back({std::move(message), bytes});
    if (!writing_) WriteFirst();
  }

  // Ends the call once all queued messages have been written. Later calls have
  // no effect.
  void End(grpc::Status status) {
    MutexLock lock(mutex_);
    if (status_) return;
    status_ = std::move(status);
    if (!writing_) this->Finish(*status_);
  }

  // Drops all queued messages and ends the call. A write in progress must still
  // end; the caller cancels the call for that.
  void Drop(grpc::Status status) {
    MutexLock lock(mutex_);
    while (queue_.size() > (writing_ ? 1 : 0)) PopBack();
    if (status_ && !writing_) return;  // Finish was called already.
    status_ = std::move(status);
    if (!writing_) this->Finish(*status_);
  }

  // Return the number of queued messages, including the one being written, and
  // their memory in bytes.
  std::size_t queued() {
    MutexLock lock(mutex_);
    return queue_.size();
  }
  std::size_t queued_bytes() {
    MutexLock lock(mutex_);
    return queued_bytes_;
  }

 private:
  struct Entry {
    Queued message;
    std::size_t bytes;
  };

  void WriteFirst() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    writing_ = true;
    current_ = kEncode(std::move(queue_.front().message));
    this->StartWrite(&current_);
  }

  void PopBack() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    queued_bytes_ -= queue_.back().bytes;
    queue_.pop_back();
  }

  void OnWriteDone(bool ok) final {
    {
      MutexLock lock(mutex_);
      queued_bytes_ -= queue_.front().bytes;
      queue_.pop_front();
      if (!ok) {  // The client is gone.
        while (!queue_.empty()) PopBack();
      }
      if (!queue_.empty()) {
        WriteFirst();
      } else {
        writing_ = false;
        if (status_) this->Finish(*status_);
      }
    }
    // gRPC calls OnDone, and so Over, only after this has returned.
    OnWritten();
  }

  void OnDone() final {
    { MutexLock lock(mutex_); }  // Waits for the last holder of the lock.
    Over();
  }

  // Called without locks when the queue has become shorter.
  virtual void OnWritten() {}
  // Called last, when the call is over. May delete the object.
  virtual void Over() = 0;

  Mutex mutex_;
  // While writing_, the first entry is the one being written.
  std::deque<Entry> queue_ ABSL_GUARDED_BY(mutex_);
  Message current_ ABSL_GUARDED_BY(mutex_);  // The message being written.
  std::size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
