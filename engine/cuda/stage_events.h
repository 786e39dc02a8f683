#pragma once

#include <absl/functional/any_invocable.h>

#include <utility>

#include "common/queue.h"
#include "engine/post_event.h"

namespace apollo {

// The engine thread of a test: events that stages post wait here until the test
// runs them. Must outlive the stages.
class StageEvents {
 public:
  PostEvent post() {
    return [this](absl::AnyInvocable<void()> event) {
      return queue_.Push(std::move(event));
    };
  }

  // Runs events, and waits for them, until `done`.
  void RunUntil(const bool& done) {
    while (!done) {
      (*queue_.Pop())();
    }
  }

  // Runs the events that have been posted.
  void RunPosted() {
    while (auto event = queue_.TryPop()) (*event)();
  }

 private:
  Queue<absl::AnyInvocable<void()>> queue_;
};

}  // namespace apollo
