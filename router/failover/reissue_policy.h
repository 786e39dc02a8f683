#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <optional>

#include "common/backoff.h"

namespace apollo {

// The cause for which a sequence is run again.
enum class ReissueCause {
  kLost,     // Its dense worker was lost.
  kMoved,    // Its dense worker is about to stop and has given it up.
  kSilent,   // It was taken from a dense worker that gave no sign of life.
  kRefused,  // The worker could not run it now: UNAVAILABLE,
             // RESOURCE_EXHAUSTED.
};

// Decides whether a sequence that failed on a dense worker is run again. One
// for each sequence. Single-threaded; uses no clock.
//
// - Errors that another worker would repeat end the sequence: all but
//   UNAVAILABLE and RESOURCE_EXHAUSTED.
// - A refused sequence is tried once on each other worker. If all refuse one
//   that no worker has begun and lost, the refusal is its end. Else its client
//   was admitted before, and it is tried again, with pauses, until the patience
//   is over.
// - If no worker is found, but one may be back (SequenceEnd::kUndecided), it is
//   tried again until the pool knows. Each loss of a worker makes that longer,
//   so such a wait, too, ends with the patience.
// - A request may itself be what kills workers. So a sequence that has lost
//   `losses` workers that had begun it, or `unbegun_losses` that had not, is
//   given up, unless it got a new token in between. Moves kill nothing, and a
//   worker that was silent may still run, so they are only bounded by `moves`.
class ReissuePolicy {
 public:
  struct Limits {
    int losses = 2;
    int unbegun_losses = 4;
    int moves = 16;  // And silences.
    // Time since the last loss or move, or since no worker was found first, in
    // which some worker must take the sequence.
    absl::Duration patience = absl::Seconds(10);
    // The same while workers have no room (RESOURCE_EXHAUSTED).
    absl::Duration busy_patience = absl::Seconds(60);
    // Pauses when no worker can take the sequence.
    absl::Duration first_pause = absl::Milliseconds(50);
    absl::Duration longest_pause = absl::Seconds(1);
  };

  explicit ReissuePolicy(const Limits& limits)
      : limits_(limits), pauses_(limits.first_pause, limits.longest_pause) {}

  // The end of an attempt to run the sequence.
  struct Failure {
    absl::Status status;  // Not OK.
    bool placed = true;   // False: no worker was found.
    bool begun = false;   // The worker has reported the start.
  };
  struct Verdict {
    // Set: run it again for this cause, after `pause`.
    std::optional<ReissueCause> again;
    // If not zero, every worker that was avoided may be tried again after it.
    absl::Duration pause;
    absl::Status error;  // Else: the end of the sequence.
  };
  Verdict Judge(const Failure& failure, absl::Duration now);

  // Notes that the sequence has got a new token.
  void Progressed();

 private:
  Verdict JudgeLoss(const Failure& failure, absl::Duration now);
  Verdict JudgeMove(const Failure& failure, ReissueCause cause,
                    absl::Duration now);
  Verdict JudgeNoWorker(const Failure& failure, absl::Duration now);
  // Returns true if the pool may still find a worker that is back.
  bool MayBeBack(const Failure& failure, absl::Duration now);

  const Limits limits_;
  Backoff pauses_;
  // Since the last new token.
  int losses_ = 0;
  int unbegun_losses_ = 0;
  int moves_ = 0;
  std::optional<absl::Duration> owed_since_;  // The last loss or move.
  // The first undecided attempt since it was placed last.
  std::optional<absl::Duration> undecided_since_;
  absl::Status refusal_;  // The last one; OK: none.
};

}  // namespace apollo
