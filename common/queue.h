#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "common/mutex.h"

namespace apollo {

// An unbounded first-in first-out queue between threads. Any number of threads
// may push and pop.
template <typename T>
class Queue {
 public:
  // Returns false, and drops the value, once the queue is closed.
  bool Push(T value) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(mutex_);
      if (closed_) return false;
      values_.push_back(std::move(value));
    }
    changed_.notify_one();
    return true;
  }

  // Waits for a value. Empty once the queue is closed and drained.
  std::optional<T> Pop() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    while (values_.empty() && !closed_) changed_.wait(mutex_);
    return TakeFront();
  }

  // The next value, if there is one now.
  std::optional<T> TryPop() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return TakeFront();
  }

  // Later pushes are dropped; waiting pops return what is left, then nothing.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

  bool closed() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return closed_;
  }

 private:
  std::optional<T> TakeFront() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (values_.empty()) return std::nullopt;
    std::optional<T> value(std::move(values_.front()));
    values_.pop_front();
    return value;
  }

  Mutex mutex_;
  CondVar changed_;
  std::deque<T> values_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
