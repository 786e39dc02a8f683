#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

// The state of the emulated device that tests change. Thread-safe.
namespace apollo::cuda::emulation {

class DeviceState {
 public:
  // After a failure, every call of the runtime returns the error, as after a
  // fault of a kernel. 0: repairs the device, so that other tests can follow.
  void Fail(int error) {
    const std::lock_guard lock(mutex_);
    error_ = error;
    released_.notify_all();
  }
  int error() const { return error_; }

  // Until Release, or until a thread waits for a stream, the device seems to be
  // busy: no event is reached.
  void Hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void Release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
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

 private:
  std::atomic<int> error_ = 0;
  std::mutex mutex_;
  std::condition_variable released_;
  bool held_ = false;
};

inline DeviceState device_state;

}  // namespace apollo::cuda::emulation
