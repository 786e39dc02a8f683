#pragma once

#include <optional>

namespace apollo {

// The state of a sequence of a dense worker.
enum class SequenceState {
  kWaiting,   // Waits for cache blocks here: new, preempted or let go.
  kFeeding,   // Has blocks; its known tokens are being computed.
  kAwaiting,  // All known tokens are computed; the next is requested.
  kHeld,      // Its expert worker has no room for it. Has no blocks anywhere.
  kOver,      // Ended, and its sink was told.
};

enum class SequenceEvent {
  kAdmitted,   // It got blocks.
  kAsked,      // The last known token was computed; the next is requested.
  kToken,      // That token came, and is not the last.
  kPreempted,  // Other sequences took its blocks here.
  kRefused,    // Its expert worker had no room.
  kLetGo,      // It may retry.
  kMoved,      // It continues on another expert worker; keeps its blocks here.
  kFinished,   // It is complete, failed or cancelled.
};

// Returns the state after an event; nullopt for an event that never happens in
// that state (a broken invariant).
//
//           admitted asked    token   preempted refused let go  moved finished
//  waiting  feeding  -        -       -         -       -       waiting over
//  feeding  -        awaiting -       waiting   held    -       feeding over
//  awaiting -        -        feeding waiting   held    -       feeding over
//  held     -        -        -       -         -       waiting waiting over
//  over     -        -        -       -         -       -       -       -
//
// A sequence that is only scored never awaits a token. `preempted` and
// `refused` begin a new attempt, which computes all tokens again. `moved`
// begins one that replays the computed rows from the blocks, if it has any.
constexpr std::optional<SequenceState> NextState(SequenceState state,
                                                 SequenceEvent event) {
  using S = SequenceState;
  using E = SequenceEvent;
  if (state == S::kOver) return std::nullopt;
  const bool running = state == S::kFeeding || state == S::kAwaiting;
  const auto next = [](bool legal, S to) {
    return legal ? std::optional(to) : std::nullopt;
  };
  switch (event) {
    case E::kAdmitted:
      return next(state == S::kWaiting, S::kFeeding);
    case E::kAsked:
      return next(state == S::kFeeding, S::kAwaiting);
    case E::kToken:
      return next(state == S::kAwaiting, S::kFeeding);
    case E::kPreempted:
      return next(running, S::kWaiting);
    case E::kRefused:
      return next(running, S::kHeld);
    case E::kLetGo:
      return next(state == S::kHeld, S::kWaiting);
    case E::kMoved:
      return running ? S::kFeeding : S::kWaiting;
    case E::kFinished:
      return S::kOver;
  }
  return std::nullopt;
}

}  // namespace apollo
