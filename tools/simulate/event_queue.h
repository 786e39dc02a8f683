#pragma once

#include <absl/functional/any_invocable.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "common/check.h"
#include "tools/simulate/time.h"

namespace apollo::simulate {

// The clock and the future events of a simulation. Events of one time happen in
// the order in which they were added, so a simulation is deterministic.
// Single-threaded.
class EventQueue {
 public:
  using Action = absl::AnyInvocable<void()>;

  Time now() const { return now_; }
  // The number of events that have happened.
  std::uint64_t happened() const { return happened_; }

  // Adds an event. `time` must not be in the past.
  void At(Time time, Action action) {
    APOLLO_CHECK(time >= now_);
    heap_.push_back({time, added_++, std::move(action)});
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }
  void After(Time delay, Action action) { At(now_ + delay, std::move(action)); }

  // Runs all events up to `end`, which then is the time.
  void RunUntil(Time end) {
    while (!heap_.empty() && heap_.front().time <= end) {
      std::pop_heap(heap_.begin(), heap_.end(), Later);
      Event event = std::move(heap_.back());
      heap_.pop_back();
      now_ = event.time;
      ++happened_;
      event.action();
    }
    now_ = std::max(now_, end);
  }

 private:
  struct Event {
    Time time;
    std::uint64_t number;
    Action action;
  };
  static bool Later(const Event& a, const Event& b) {
    return a.time != b.time ? a.time > b.time : a.number > b.number;
  }

  std::vector<Event> heap_;
  Time now_ = 0;
  std::uint64_t added_ = 0;
  std::uint64_t happened_ = 0;
};

}  // namespace apollo::simulate
