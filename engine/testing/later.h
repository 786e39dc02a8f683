#pragma once

#include <absl/functional/any_invocable.h>

#include <cstddef>
#include <deque>
#include <utility>

#include "common/check.h"
#include "engine/testing/completions.h"

namespace apollo {

// Pending completions of asynchronous stages. The test delivers them in any
// order. Must outlive the stages.
class Later final : public Completions {
 public:
  void Add(absl::AnyInvocable<void()> event) override {
    events_.push_back(std::move(event));
  }

  std::size_t size() const { return events_.size(); }
  bool empty() const { return events_.empty(); }

  // Delivers one event; index 0 is the oldest.
  void Deliver(std::size_t index = 0) {
    APOLLO_CHECK(index < events_.size());
    absl::AnyInvocable<void()> event = std::move(events_[index]);
    events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(index));
    event();
  }

 private:
  std::deque<absl::AnyInvocable<void()>> events_;
};

}  // namespace apollo
