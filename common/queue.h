#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "common/mutex.h"

namespace apollo {

// A FIFO queue between threads; any number of threads may push and pop. The
// queue is unbounded. It sums the byte sizes that callers declare, so that they
// can bound it.
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

  // Waits for a value. Returns nullopt once the queue is closed and drained.
  std::optional<T> Pop() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    while (values_.empty() && !closed_) changed_.wait(mutex_);
    return TakeFront();
  }

  // Returns the next value, or nullopt if the queue is empty.
  std::optional<T> TryPop() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(mutex_);
    return TakeFront();
  }

  // Closes the queue. Later pushes are dropped. Pops return the remaining
  // values, then nullopt.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

  // Returns the total bytes of the queued values.
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
