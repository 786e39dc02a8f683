#pragma once

#include <absl/functional/any_invocable.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>

#include "common/queue.h"

namespace apollo {

// The thread that owns a worker's state. Other threads post events. Between
// events, while there is work, the thread advances it piece by piece, so an
// event never waits for more than one piece. Sleeps when idle.
class EngineThread {
 public:
  using Event = absl::AnyInvocable<void()>;

  // Both functions are called only in the thread.
  EngineThread(std::function<bool()> has_work, std::function<void()> advance);
  // Calls Stop unless it was called.
  ~EngineThread();

  void Start();

  // Queues an event, which runs in the thread, in posting order. Returns false
  // and drops the event after Stop. `bytes`: approximate memory of the event
  // while it waits, for callers that bound it. Thread-safe.
  bool Post(Event event, std::size_t bytes = 0);

  // Returns Post as a function that may outlive this object.
  std::function<bool(Event)> poster() const;

  // Returns the total bytes of the waiting events. Thread-safe.
  std::size_t waiting_bytes() { return events_->bytes(); }

  // Runs the events posted so far, then ends the thread. Must not be called
  // from the thread.
  void Stop();

 private:
  void Run();

  const std::function<bool()> has_work_;
  const std::function<void()> advance_;
  // Shared with the posters.
  const std::shared_ptr<Queue<Event>> events_ =
      std::make_shared<Queue<Event>>();
  std::thread thread_;
};

}  // namespace apollo
