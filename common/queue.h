#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "common/mutex.h"

namespace apollo {

// A first-in first-out queue between threads. Any number of threads may push
// and pop. It takes whatever is pushed, and counts the bytes that its users say
// that values take up, so that they can bound them.
template <typename T>
class Queue {
 public:
  // Returns false, and drops the value, once the queue is closed.
  bool Push(T value, std::size_t bytes = 0) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(mutex_);
      if (closed_) return false;
      values_.push_back({std::move(value), bytes});
      bytes_ += bytes;
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

  // Returns the bytes of the values that wait.
  std::size_t bytes() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return bytes_;
  }

  bool closed() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return closed_;
  }

 private:
  std::optional<T> TakeFront() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (values_.empty()) return std::nullopt;
    std::optional<T> value(std::move(values_.front().value));
    bytes_ -= values_.front().bytes;
    values_.pop_front();
    return value;
  }

  struct Waiting {
    T value;
    std::size_t bytes;
  };

  Mutex mutex_;
  CondVar changed_;
  std::deque<Waiting> values_ ABSL_GUARDED_BY(mutex_);
  std::size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
