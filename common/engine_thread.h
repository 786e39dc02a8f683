#pragma once

#include <absl/functional/any_invocable.h>
#include <absl/time/time.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <thread>

#include "common/clock.h"
#include "common/queue.h"

namespace apollo {

// The one thread that owns a worker's state. Others post events; between
// events, as long as there is work, the thread advances it piece by piece, so
// that events never wait longer than one piece. An idle thread sleeps.
class EngineThread {
 public:
  using Event = absl::AnyInvocable<void()>;

  // `has_work` and `advance` are called in the thread only.
  EngineThread(std::function<bool()> has_work, std::function<void()> advance,
               const Clock& clock = Clock::Real());
  // Stops, if Stop was not called.
  ~EngineThread();

  void Start();

  // Runs the event in the thread, in the order of posting. False, without
  // running it, after Stop. `bytes`: about as many as the event takes up while
  // it waits, where they are to be bounded. Any thread.
  bool Post(Event event, std::size_t bytes = 0);

  // Returns the bytes of the events that wait. Any thread.
  std::size_t waiting_bytes() { return events_.bytes(); }

  // Runs the events posted so far, then ends the thread. Not from the thread.
  void Stop();

  // False if the thread has been at one event or piece of work for longer than
  // `limit`: stuck. Any thread.
  bool Responsive(absl::Duration limit) const;

 private:
  void Run();
  void Mark();
  void Unmark();

  const std::function<bool()> has_work_;
  const std::function<void()> advance_;
  const Clock& clock_;
  Queue<Event> events_;
  std::atomic<std::int64_t> busy_since_nanos_{0};  // 0: not busy.
  std::thread thread_;
};

}  // namespace apollo
