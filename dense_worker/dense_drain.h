#pragma once

#include <absl/time/time.h>

#include <functional>

#include "common/clock.h"
#include "serving/drain_flags.h"

namespace apollo {

// The last part of a dense worker's life: it reports that it is not ready, and
// its sequences finish, or move to other dense workers. A state machine that is
// stepped from outside. Single-threaded.
class DenseDrain {
 public:
  // What it sees of the worker, and may do.
  struct Worker {
    // Calls of routers that have not ended.
    std::function<int()> calls;
    // True if there is some router, which may still start sequences.
    std::function<bool()> has_routers;
    // True if all routers have other dense workers.
    std::function<bool()> has_others;
    // Ends all sequences, now and later, for their routers to continue them
    // elsewhere. Called again and again.
    std::function<void()> hand_over;
  };

  // Begins now. `clock` must outlive the object.
  DenseDrain(const DrainOptions& options, Worker worker, const Clock& clock);

  // Does what is due. Returns true once the worker may stop serving. Call it
  // several times a second.
  bool Step();

  // Time in which routers notice that the worker is not ready: by its next sign
  // of life, or else with their next poll, up to 2.2 s later. Until then they
  // may start sequences, which are accepted.
  static constexpr absl::Duration kNotice = absl::Milliseconds(2500);
  // Time after the time-out for the sequences that are handed over then.
  static constexpr absl::Duration kLastMoves = absl::Seconds(2);

 private:
  const DrainOptions options_;
  const Worker worker_;
  const Clock& clock_;
  const absl::Duration begun_;
};

}  // namespace apollo
