#pragma once

#include <absl/functional/any_invocable.h>

#include <deque>
#include <utility>

#include "common/mutex.h"
#include "engine/post_event.h"

namespace apollo {

// Events that stages post, for tests: the test's thread is the engine thread.
// Must outlive the stages.
class EventQueue {
 public:
  PostEvent post() {
    return [this](absl::AnyInvocable<void()> event) {
      {
        MutexLock lock(mutex_);
        events_.push_back(std::move(event));
      }
      changed_.notify_all();
      return true;
    };
  }

  // Waits for an event and runs it.
  void RunOne() {
    absl::AnyInvocable<void()> event;
    {
      MutexLock lock(mutex_);
      while (events_.empty()) changed_.wait(mutex_);
      event = std::move(events_.front());
      events_.pop_front();
    }
    event();
  }

  // Waits until there is an event.
  void Wait() {
    MutexLock lock(mutex_);
    while (events_.empty()) changed_.wait(mutex_);
  }

  // Runs the events that have been posted. Returns their number.
  int RunPosted() {
    int count = 0;
    for (; !empty(); ++count) RunOne();
    return count;
  }

  bool empty() {
    MutexLock lock(mutex_);
    return events_.empty();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<absl::AnyInvocable<void()>> events_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
