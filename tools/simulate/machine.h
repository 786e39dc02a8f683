#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <list>

#include "tools/simulate/event_queue.h"
#include "tools/simulate/time.h"

namespace apollo::simulate {

// The processors that workers share. A piece of work runs on as many threads as
// its worker has; while all pieces together have more threads than there are
// processors, each gets its part and takes longer in proportion (processor
// sharing, as the scheduler of an operating system approximates it).
// Single-threaded.
class Machine {
 public:
  // `cores` 0: every piece has its own processors. `events` must outlive the
  // machine.
  Machine(EventQueue& events, int cores) : events_(events), cores_(cores) {}

  // Runs a piece that takes `work` on `threads` processors of its own, and
  // calls `done` when it ends.
  void Run(Time work, int threads, EventQueue::Action done);

  // The time that pieces would have taken alone, summed up.
  Time worked() const { return worked_; }

 private:
  struct Piece {
    double left;  // Nanoseconds of work.
    int threads;
    EventQueue::Action done;
  };
  // Takes from each piece what it has done since the last change.
  void Settle();
  // Plans the end of the piece that ends first.
  void Plan();
  void Finish();
  double Speed() const;

  EventQueue& events_;
  const int cores_;
  std::list<Piece> pieces_;
  int threads_ = 0;  // Of all pieces.
  Time settled_ = 0;
  Time worked_ = 0;
  std::uint64_t plan_ = 0;  // Earlier plans are void.
};

}  // namespace apollo::simulate
