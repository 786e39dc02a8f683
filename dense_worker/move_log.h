#pragma once

#include <absl/time/time.h>

#include <map>
#include <optional>
#include <string>

#include "common/clock.h"
#include "common/log_budget.h"
#include "dense_worker/dense_counters.h"
#include "engine/scheduler.h"
#include "sequence/generation.h"

namespace apollo {

// The reasons for which a sequence leaves its expert worker.
enum class MoveCause {
  kLost,      // The link has ended.
  kSilent,    // It gives no sign of life.
  kHandOver,  // It is about to stop, and wants its sequences to move.
  kFailed,    // It answered UNAVAILABLE: a peer that it needs was lost.
};

// Counts and logs the moves of sequences with blocks to other expert workers,
// or to a new attempt on the same one, with the time that each phase of a move
// took: from the notice to the choice of a worker, to the last replayed row, to
// the next token. Each move that ends with a token has one line,
// `sequence_moved`, within a LogBudget. Single-threaded.
class MoveLog {
 public:
  // Both must outlive the log.
  MoveLog(DenseCounters& counters, const Clock& clock)
      : counters_(counters), clock_(clock), log_budget_(clock) {}

  struct Move {
    MoveCause cause = MoveCause::kLost;
    absl::Duration noticed;  // The time at which the core knew of the cause.
    std::string request_id;
    std::string from, to;  // Names of workers.
  };
  // Notes that a worker was chosen for a sequence. A sequence that has not
  // continued since its last move keeps the time of the first notice.
  void Chosen(SequenceId id, Move move);
  // These ignore sequences that have not moved.
  //
  // Notes that rows of the sequence were replayed.
  void Replayed(SequenceId id, int rows);
  // Notes that the sequence has its next token, or its scores. Returns the move
  // if it has moved.
  std::optional<SequenceMove> Continued(SequenceId id);
  // Notes that the sequence has ended.
  void Forget(SequenceId id) { moves_.erase(id); }

 private:
  struct Entry {
    Move move;
    absl::Duration chosen;
    absl::Duration replayed;  // The last row so far.
    int rows = 0;
  };

  DenseCounters& counters_;
  const Clock& clock_;
  LogBudget log_budget_;
  std::map<SequenceId, Entry> moves_;
};

}  // namespace apollo
