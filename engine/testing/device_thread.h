#pragma once

#include <cstddef>
#include <deque>
#include <thread>
#include <utility>

#include "common/mutex.h"
#include "engine/testing/completions.h"

namespace apollo {

// A thread that posts the results of one stage to the engine thread, as that of
// a device does, in their order. The test can hold results back, as a device
// does that hangs. When the stage is destroyed, the thread posts what is left,
// also what was held. Thread-safe.
class DeviceThread final : public Completions {
 public:
  ~DeviceThread() override { Stop(); }

  // Holds back all results from now on.
  void Hang() {
    MutexLock lock(mutex_);
    hangs_ = true;
  }
  // Lets the next result pass, and no more.
  void Pass() {
    MutexLock lock(mutex_);
    ++passes_;
    changed_.notify_all();
  }
  // Holds nothing back any more.
  void GoOn() {
    MutexLock lock(mutex_);
    hangs_ = false;
    changed_.notify_all();
  }
  // Waits until so many results are held back, none of which may pass.
  void WaitForHeld(std::size_t results) {
    MutexLock lock(mutex_);
    while (!hangs_ || passes_ > 0 || events_.size() < results) {
      changed_.wait(mutex_);
    }
  }
  // Results that the engine thread did not take, because it had stopped.
  int refused() {
    MutexLock lock(mutex_);
    return refused_;
  }

  void SetPost(PostEvent post) override {
    thread_ = std::thread([this, post = std::move(post)] { Run(post); });
  }
  void Add(absl::AnyInvocable<void()> event) override {
    MutexLock lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_all();
  }
  void Stop() override {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  bool MayPost() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !events_.empty() && (!hangs_ || passes_ > 0 || stopping_);
  }
  // Returns the next event, or null at the end.
  absl::AnyInvocable<void()> Next() {
    MutexLock lock(mutex_);
    while (!MayPost() && !stopping_) changed_.wait(mutex_);
    if (!MayPost()) return nullptr;
    if (hangs_ && passes_ > 0) --passes_;
    absl::AnyInvocable<void()> event = std::move(events_.front());
    events_.pop_front();
    changed_.notify_all();
    return event;
  }
  void Run(const PostEvent& post) {
    while (absl::AnyInvocable<void()> event = Next()) {
      if (post(std::move(event))) continue;
      MutexLock lock(mutex_);
      ++refused_;
    }
  }

  Mutex mutex_;
  CondVar changed_;
  std::deque<absl::AnyInvocable<void()>> events_ ABSL_GUARDED_BY(mutex_);
  bool hangs_ ABSL_GUARDED_BY(mutex_) = false;
  int passes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int refused_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace apollo
