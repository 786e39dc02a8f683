#pragma once

#include <optional>

namespace apollo {

// Where a sequence of a dense worker is on its way.
enum class SequenceState {
  kWaiting,   // For cache blocks here: it is new, was preempted or let go.
  kFeeding,   // It has blocks; its known tokens are run, or are to be.
  kAwaiting,  // All known tokens were run; the next one was asked for.
  kHeld,  // Its expert worker has no room for it. It has no blocks anywhere.
  kOver,  // Its sink was told how it ended.
};

enum class SequenceEvent {
  kAdmitted,   // It got blocks.
  kAsked,      // The last known token was run, so the next one was asked for.
  kToken,      // That token came, and is not the last one.
  kPreempted,  // Others took its blocks here.
  kRefused,    // Its expert worker had no room.
  kLetGo,      // It may try again.
  kFinished,   // It is complete, has failed or was cancelled.
};

// The state after an event; none: our own code is wrong, as this never happens.
//
//            admitted  asked     token    preempted  refused  let go   finished
//  waiting   feeding   -         -        -          -        -        over
//  feeding   -         awaiting  -        waiting    held     -        over
//  awaiting  -         -         feeding  waiting    held     -        over
//  held      -         -         -        -          -        waiting  over
//  over      -         -         -        -          -        -        -
//
// A sequence whose tokens are scored never awaits one. Preempted and refused
// begin a new attempt: all tokens are run again, from position 0 on.
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
    case E::kFinished:
      return S::kOver;
  }
  return std::nullopt;
}

}  // namespace apollo
