#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

// The state of the emulated device that tests change. Thread-safe.
namespace apollo::cuda::emulation {

class DeviceState {
 public:
  // After a failure, every call of the runtime returns the error, as after a
  // fault of a kernel, and work is dropped. 0: repairs the device, so that
  // other tests can follow.
  void Fail(int error) {
    const std::lock_guard lock(mutex_);
    error_ = error;
    if (error != 0) work_.clear();
    released_.notify_all();
  }
  int error() const { return error_; }

  // Until Release, or until a thread waits for a stream, the device is busy:
  // work is only enqueued, and no event is reached. Memory that must stay
  // unchanged until the device has passed some work is found out so.
  void Hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  // Does the enqueued work, and then whatever comes at once.
  void Release() {
    DoWork();
    released_.notify_all();
  }
  bool held() {
    const std::lock_guard lock(mutex_);
    return held_;
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    released_.wait(lock, [this] { return !held_ || error_ != 0; });
  }

  // Does some work of a stream, now or when the device gets there. All streams
  // are one.
  void Do(std::function<void()> work) {
    if (error_ != 0) return;
    {
      const std::lock_guard lock(mutex_);
      if (held_) {
        work_.push_back(std::move(work));
        return;
      }
    }
    const std::lock_guard lock(doing_);
    work();
  }

  // Page-locked memory. Other memory of the host is copied before a call
  // returns, and so has to wait for the stream.
  void Pin(const void* data, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    pinned_[static_cast<const std::byte*>(data)] = bytes;
  }
  void Unpin(const void* data) {
    const std::lock_guard lock(mutex_);
    pinned_.erase(static_cast<const std::byte*>(data));
  }
  bool IsPinned(const void* data, std::size_t bytes) {
    const auto* const first = static_cast<const std::byte*>(data);
    const std::lock_guard lock(mutex_);
    auto it = pinned_.upper_bound(first);
    if (it == pinned_.begin()) return false;
    --it;
    return first + bytes <= it->first + it->second;
  }

 private:
  void DoWork() {
    const std::lock_guard doing(doing_);
    for (;;) {
      std::function<void()> work;
      {
        const std::lock_guard lock(mutex_);
        if (work_.empty()) {
          held_ = false;
          return;
        }
        work = std::move(work_.front());
        work_.pop_front();
      }
      work();
    }
  }

  std::atomic<int> error_ = 0;
  std::mutex doing_;  // Held while work is done.
  std::mutex mutex_;
  std::condition_variable released_;
  bool held_ = false;
  std::deque<std::function<void()>> work_;
  std::map<const std::byte*, std::size_t> pinned_;
};

inline DeviceState device_state;

}  // namespace apollo::cuda::emulation
