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

void MoveLog::Continued(SequenceId id) {
  const auto node = moves_.extract(id);
  if (node.empty()) return;
  const auto& [move, chosen, replayed, rows] = node.mapped();
  const std::int64_t choice = absl::ToInt64Milliseconds(chosen - move.noticed);
  const std::int64_t replay = absl::ToInt64Milliseconds(replayed - chosen);
  const std::int64_t token = absl::ToInt64Milliseconds(clock_.Now() - replayed);
  ++counters_.moves_continued;
  counters_.move_choice_ms += choice;
  counters_.move_replay_ms += replay;
  counters_.move_token_ms += token;
  const std::optional<std::int64_t> held_back = log_budget_.Take();
  if (!held_back) return;
  LogInfo("sequence_moved", {{"request_id", move.request_id},
                             {"cause", NameOf(move.cause)},
                             {"from", move.from},
                             {"to", move.to},
                             {"rows", rows},
                             {"choice_ms", choice},
                             {"replay_ms", replay},
                             {"token_ms", token},
                             {"held_back", *held_back}});
}

}  // namespace apollo
