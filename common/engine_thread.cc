#include "common/engine_thread.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace apollo {

EngineThread::EngineThread(std::function<bool()> has_work,
                           std::function<void()> advance, const Clock& clock)
    : has_work_(std::move(has_work)),
      advance_(std::move(advance)),
      clock_(clock) {}

EngineThread::~EngineThread() { Stop(); }

void EngineThread::Start() {
  thread_ = std::thread([this] { Run(); });
}

bool EngineThread::Post(Event event, std::size_t bytes) {
  return events_.Push(std::move(event), bytes);
}

void EngineThread::Stop() {
  events_.Close();
  if (thread_.joinable()) thread_.join();
}

void EngineThread::Mark() {
  busy_since_nanos_.store(
      std::max<std::int64_t>(1, absl::ToInt64Nanoseconds(clock_.Now())),
      std::memory_order_relaxed);
}

void EngineThread::Unmark() {
  busy_since_nanos_.store(0, std::memory_order_relaxed);
}

bool EngineThread::Responsive(absl::Duration limit) const {
  const std::int64_t since = busy_since_nanos_.load(std::memory_order_relaxed);
  return since == 0 || clock_.Now() - absl::Nanoseconds(since) <= limit;
}

void EngineThread::Run() {
  for (;;) {
    std::optional<Event> event = has_work_() ? events_.TryPop() : events_.Pop();
    if (event) {
      Mark();
      (*event)();
    } else if (has_work_()) {
      if (events_.closed()) return;  // Remaining work is dropped.
      Mark();
      advance_();
    } else {
      return;  // Closed and drained.
    }
    Unmark();
  }
}

}  // namespace apollo
