#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/time/time.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "common/clock.h"

namespace apollo {

// Calls events after a delay. Single-threaded.
class Timer {
 public:
  using Event = absl::AnyInvocable<void()>;
  virtual ~Timer() = default;
  virtual absl::Duration Now() const = 0;
  virtual void After(absl::Duration delay, Event event) = 0;
};

// A clock that jumps from event to event. Events of one time happen in the
// order in which they were added, so a run is the same every time.
// Single-threaded.
class VirtualTime final : public Clock, public Timer {
 public:
  absl::Duration Now() const override { return now_; }

  // Adds an event at a time, at the earliest now.
  void At(absl::Duration time, Event event) {
    events_.emplace(std::pair(std::max(time, now_), next_++), std::move(event));
  }
  void After(absl::Duration delay, Event event) override {
    At(now_ + delay, std::move(event));
  }

  // Runs all events up to that time, which is the current one afterwards.
  void RunUntil(absl::Duration time) {
    while (!events_.empty() && events_.begin()->first.first <= time) {
      auto node = events_.extract(events_.begin());
      now_ = node.key().first;
      node.mapped()();
    }
    now_ = std::max(now_, time);
  }

 private:
  absl::Duration now_ = absl::Seconds(1000);
  std::uint64_t next_ = 0;
  std::map<std::pair<absl::Duration, std::uint64_t>, Event> events_;
};

}  // namespace apollo
