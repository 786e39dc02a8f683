#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <optional>
#include <utility>

#include "common/mutex.h"

namespace apollo {

// The server's side of a streaming response, fed from any thread: messages
// queue up and are written one after the other. Subclasses add what the call is
// about.
template <typename Message>
class QueuedWriter : public grpc::ServerWriteReactor<Message> {
 public:
  // Queues a message; dropped after End.
  void Push(Message message) {
    MutexLock lock(mutex_);
    if (status_) return;
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

  // Messages that wait for a slow reader.
  std::size_t queued() {
    MutexLock lock(mutex_);
    return queue_.size();
  }

 private:
  void OnWriteDone(bool ok) final {
    MutexLock lock(mutex_);
    queue_.pop_front();
    if (!ok) queue_.clear();  // The client is gone.
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

  // The call is over and no other callback will come: delete this, or let go.
  virtual void Over() = 0;

  Mutex mutex_;
  std::deque<Message> queue_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
