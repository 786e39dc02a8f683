#include "common/engine_thread.h"

#include <optional>
#include <utility>

namespace apollo {

EngineThread::EngineThread(std::function<bool()> has_work,
                           std::function<void()> advance)
    : has_work_(std::move(has_work)), advance_(std::move(advance)) {}

EngineThread::~EngineThread() { Stop(); }

void EngineThread::Start() {
  thread_ = std::thread([this] { Run(); });
}

bool EngineThread::Post(Event event, std::size_t bytes) {
  return events_->Push(std::move(event), bytes);
}

std::function<bool(EngineThread::Event)> EngineThread::poster() const {
  return [events = events_](Event event) {
    return events->Push(std::move(event));
  };
}

void EngineThread::Stop() {
  events_->Close();
  if (thread_.joinable()) thread_.join();
}

void EngineThread::Run() {
  for (;;) {
    std::optional<Event> event =
        has_work_() ? events_->TryPop() : events_->Pop();
    if (event) {
      (*event)();
    } else if (has_work_()) {
      if (events_->closed()) return;  // Remaining work is dropped.
      advance_();
    } else {
      return;  // Closed and drained.
    }
  }
}

}  // namespace apollo
