#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <utility>

#include "common/mutex.h"

namespace apollo {

// A queue whose items are taken in the order of their places, one at a time,
// each once it is there: by whichever thread calls Run and finds nobody taking,
// without a lock held. Thread-safe.
template <typename T>
class InOrder {
 public:
  explicit InOrder(std::function<void(T)> take) : take_(std::move(take)) {}

  // Appends an item, or a place for one that Fill brings later. Returns the
  // place. Takes nothing itself.
  std::uint64_t Add(std::optional<T> item) {
    MutexLock lock(mutex_);
    if (!finished_) items_.push_back(std::move(item));
    return first_ + items_.size() - 1;
  }

  // Brings the item of a place that waits for it.
  void Fill(std::uint64_t place, T item) {
    MutexLock lock(mutex_);
    if (!finished_) items_[place - first_] = std::move(item);
  }

  // Drops what waits and adds `last`, if given; nothing is added any more.
  void Finish(std::optional<T> last) {
    std::deque<std::optional<T>> dropped;  // Without the lock.
    MutexLock lock(mutex_);
    if (finished_) return;
    finished_ = true;
    dropped.swap(items_);
    if (last) items_.push_back(std::move(last));
  }

  // Takes what can be taken, unless another call is doing so: it goes on.
  void Run() {
    {
      MutexLock lock(mutex_);
      if (running_) return;
      running_ = true;
    }
    for (;;) {
      std::optional<T> item;
      {
        MutexLock lock(mutex_);
        if (items_.empty() || !items_.front()) {
          running_ = false;
          return;
        }
        item = std::move(items_.front());
        items_.pop_front();
        ++first_;
      }
      take_(*std::move(item));
    }
  }

 private:
  const std::function<void(T)> take_;

  Mutex mutex_;
  std::deque<std::optional<T>> items_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t first_ ABSL_GUARDED_BY(mutex_) = 0;  // Place of the front.
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
