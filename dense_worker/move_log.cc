#include "dense_worker/move_log.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "common/log.h"

namespace apollo {
namespace {

const char* NameOf(MoveCause cause) {
  switch (cause) {
    case MoveCause::kLost:
      return "lost";
    case MoveCause::kSilent:
      return "silent";
    case MoveCause::kHandOver:
      return "hand_over";
    case MoveCause::kFailed:
      return "failed";
  }
  return "";
}

Count& CountOf(DenseCounters& counters, MoveCause cause) {
  switch (cause) {
    case MoveCause::kLost:
      return counters.moved_lost;
    case MoveCause::kSilent:
      return counters.moved_silent;
    case MoveCause::kHandOver:
      return counters.moved_hand_over;
    case MoveCause::kFailed:
      break;
  }
  return counters.moved_failed;
}

Distribution& PauseOf(DenseCounters& counters, MoveCause cause) {
  switch (cause) {
    case MoveCause::kLost:
      return counters.pause_lost;
    case MoveCause::kSilent:
      return counters.pause_silent;
    case MoveCause::kHandOver:
      return counters.pause_hand_over;
    case MoveCause::kFailed:
      break;
  }
  return counters.pause_failed;
}

}  // namespace

void MoveLog::Chosen(SequenceId id, Move move) {
  ++CountOf(counters_, move.cause);
  const auto it = moves_.find(id);
  if (it != moves_.end()) move.noticed = it->second.move.noticed;
  const absl::Duration now = clock_.Now();
  moves_[id] = {std::move(move), now, now};
}

void MoveLog::Replayed(SequenceId id, int rows) {
  const auto it = moves_.find(id);
  if (it == moves_.end()) return;
  it->second.replayed = clock_.Now();
  it->second.rows += rows;
}

std::optional<SequenceMove> MoveLog::Continued(SequenceId id) {
  const auto node = moves_.extract(id);
  if (node.empty()) return std::nullopt;
  const auto& [move, chosen, replayed, rows] = node.mapped();
  const absl::Duration now = clock_.Now();
  ++counters_.moves_continued;
  counters_.move_choice.Observe(absl::ToDoubleSeconds(chosen - move.noticed));
  counters_.move_replay.Observe(absl::ToDoubleSeconds(replayed - chosen));
  counters_.move_token.Observe(absl::ToDoubleSeconds(now - replayed));
  PauseOf(counters_, move.cause)
      .Observe(absl::ToDoubleSeconds(now - move.noticed));
  SequenceMove done = {NameOf(move.cause), move.from, move.to,  rows,
                       move.noticed,       chosen,    replayed, now};
  const std::optional<std::int64_t> held_back = log_budget_.Take();
  if (!held_back) return done;
  LogInfo("sequence_moved",
          {{"request_id", move.request_id},
           {"cause", NameOf(move.cause)},
           {"from", move.from},
           {"to", move.to},
           {"rows", rows},
           {"choice_ms", absl::ToInt64Milliseconds(chosen - move.noticed)},
           {"replay_ms", absl::ToInt64Milliseconds(replayed - chosen)},
           {"token_ms", absl::ToInt64Milliseconds(now - replayed)},
           {"held_back", *held_back}});
  return done;
}

}  // namespace apollo
