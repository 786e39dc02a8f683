#pragma once

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "common/mutex.h"

namespace apollo {

// Memory that a message takes while it waits, in bytes: about what it takes on
// the wire.
template <typename Message>
std::size_t QueuedBytes(const Message& message) {
  return message.ByteSizeLong();
}
// Serialized already. Small ones count with what keeps them, besides.
inline std::size_t QueuedBytes(const std::string& message) {
  return message.size() + 64;
}

template <typename Message>
Message Unchanged(Message message) {
  return message;
}

// The server's side of a streaming response, fed from any thread: messages
// queue up and are written one after the other. They wait as `Queued`, and
// kEncode makes of each what gRPC writes when its turn has come. Subclasses add
// what the call is about, and bound the queue: see queued_bytes.
template <
    typename Message, typename Reactor = grpc::ServerWriteReactor<Message>,
    typename Queued = Message, Message (*kEncode)(Queued) = Unchanged<Message>>
class QueuedWriter : public Reactor {
 public:
  // Queues a message; dropped after End.
  void Push(Queued message) {
    MutexLock lock(mutex_);
    if (status_) return;
    const std::size_t bytes = QueuedBytes(message);
    queued_bytes_ += bytes;
    queue_.push_back({std::move(message), bytes});
    if (!writing_) WriteFirst();
  }

  // Ends the call once all that is queued has been written. The first call
  // counts.
  void End(grpc::Status status) {
    MutexLock lock(mutex_);
    if (status_) return;
    status_ = std::move(status);
    if (!writing_) this->Finish(*status_);
  }

  // Drops what is queued and ends the call. A write that is under way still
  // has to end, for which the caller cancels the call.
  void Drop(grpc::Status status) {
    MutexLock lock(mutex_);
    while (queue_.size() > (writing_ ? 1 : 0)) PopBack();
    if (status_ && !writing_) return;  // It has finished.
    status_ = std::move(status);
    if (!writing_) this->Finish(*status_);
  }

  // Messages that wait for a slow reader, with the one that is being written,
  // and their memory.
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
    // Over comes after this has returned: gRPC counts callbacks.
    OnWritten();
  }

  void OnDone() final {
    { MutexLock lock(mutex_); }  // Whoever held it last is through.
    Over();
  }

  // The queue has become shorter. Not under a lock of this class.
  virtual void OnWritten() {}
  // The call is over and no other callback will come: delete this, or let go.
  virtual void Over() = 0;

  Mutex mutex_;
  std::deque<Entry> queue_ ABSL_GUARDED_BY(mutex_);  // First: being written.
  Message current_ ABSL_GUARDED_BY(mutex_);          // As gRPC writes it.
  std::size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
