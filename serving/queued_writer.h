#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <optional>
#include <utility>

#include "common/mutex.h"

namespace apollo {

inline std::size_t MessageBytes(const grpc::ByteBuffer& message) {
  return message.Length();
}
template <typename Message>
std::size_t MessageBytes(const Message& message) {
  return message.ByteSizeLong();
}

// The server's side of a streaming response, fed from any thread: messages
// queue up and are written one after the other. Subclasses add what the call is
// about, and bound the queue: see queued_bytes.
template <typename Message,
          typename Reactor = grpc::ServerWriteReactor<Message>>
class QueuedWriter : public Reactor {
 public:
  // Queues a message; dropped after End.
  void Push(Message message) {
    MutexLock lock(mutex_);
    if (status_) return;
    queued_bytes_ += MessageBytes(message);
    queue_.push_back(std::move(message));
    if (!writing_) {
      writing_ = true;
      this->StartWrite(&queue_.front());
    }
  }

  // Ends the call once all that is queued has been written. The first call
  // counts.
  void End(grpc::Status status) {
    MutexLock lock(mutex_);
    if (status_) return;
    status_ = std::move(status);
    if (!writing_) this->Finish(*status_);
  }

  // Messages that wait for a slow reader, with the one that is being written.
  std::size_t queued() {
    MutexLock lock(mutex_);
    return queue_.size();
  }
  // Their size on the wire.
  std::size_t queued_bytes() {
    MutexLock lock(mutex_);
    return queued_bytes_;
  }

 private:
  void OnWriteDone(bool ok) final {
    {
      MutexLock lock(mutex_);
      queued_bytes_ -= MessageBytes(queue_.front());
      queue_.pop_front();
      if (!ok) {  // The client is gone.
        queue_.clear();
        queued_bytes_ = 0;
      }
    }
    OnWritten();
    MutexLock lock(mutex_);
    if (!queue_.empty()) {
      this->StartWrite(&queue_.front());
      return;
    }
    writing_ = false;
    if (status_) this->Finish(*status_);
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
  std::deque<Message> queue_ ABSL_GUARDED_BY(mutex_);
  std::size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
