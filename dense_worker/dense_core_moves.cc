// The part of DenseCore that moves sequences from expert workers that are lost,
// silent, or about to stop.
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dense_worker/dense_core.h"

namespace apollo {
namespace {

// Replayed rows in flight to one worker, at most: about one batch of it. More
// would only delay the other sequences there.
constexpr int kReplayedRows = 2048;

}  // namespace

void DenseCore::LinkDown(LinkId id) {
  if (!workers_.Contains(id)) return;
  const std::string name = workers_.name(id);
  const auto silent = silent_.find(id);
  const absl::Duration noticed =
      silent == silent_.end() ? clock_.Now() : silent->second;
  silent_.erase(id);
  workers_.Remove(id);
  ledger_.Forget(id);
  std::vector<SequenceId> lost;
  for (const auto& [sequence_id, sequence] : sequences_) {
    if (sequence.worker() == id) lost.push_back(sequence_id);
  }
  for (const SequenceId sequence_id : lost) {
    const absl::Status moved =
        Move(sequences_.at(sequence_id), MoveCause::kLost, noticed, name);
    if (moved.ok()) continue;
    Finish(sequence_id,
           absl::UnavailableError(absl::StrCat(
               "the expert worker \"", name,
               "\" was lost, and no other can continue: ", moved.message())));
  }
}

absl::StatusOr<LinkId> DenseCore::ChooseNext(DenseSequence& sequence,
                                             MoveCause cause) {
  ExpertWorkers::Wanted wanted = WantedFor(sequence);
  wanted.except = sequence.worker();
  if (cause == MoveCause::kFailed) {
    // One failure may be that of a peer, which the worker knows by now.
    if (sequence.failures() > 1) {
      const absl::StatusOr<LinkId> other = workers_.Choose(wanted);
      if (other.ok() && !workers_.IsBusy(*other)) return other;
      if (other.ok()) workers_.Release(*other, sequence.id());
    }
    wanted.except.reset();
  }
  return workers_.Choose(wanted);
}

absl::Status DenseCore::Move(DenseSequence& sequence, MoveCause cause,
                             absl::Duration noticed,
                             const std::string& from_name) {
  const absl::StatusOr<LinkId> other = ChooseNext(sequence, cause);
  if (!other.ok()) return other.status();
  // A sequence that can stay is not moved to where it would wait, too.
  if (cause == MoveCause::kSilent && workers_.IsBusy(*other)) {
    workers_.Release(*other, sequence.id());
    return absl::UnavailableError("the other expert workers are busy");
  }
  MoveTo(sequence, *other, cause, noticed, from_name);
  return absl::OkStatus();
}

void DenseCore::MoveTo(DenseSequence& sequence, LinkId to, MoveCause cause,
                       absl::Duration noticed, const std::string& from_name) {
  const LinkId from = sequence.worker();
  if (sequence.has_blocks()) {
    Release(sequence);
    Replay(sequence, to);
    moves_.Chosen(sequence.id(), {cause, noticed, sequence.request().request_id,
                                  from_name, workers_.name(to)});
  } else if (sequence.state() == SequenceState::kHeld) {
    scheduler_.Resume(sequence.id());
  }
  sequence.MoveTo(to);
  UpdatePaused(sequence);
  Leave(from, sequence.id());
}

void DenseCore::WentOn(DenseSequence& sequence) {
  const std::optional<SequenceMove> move = moves_.Continued(sequence.id());
  if (move) sequence.Moved(*move);
}

void DenseCore::Retry(DenseSequence& sequence, const absl::Status& reason) {
  const absl::Status moved = Move(sequence, MoveCause::kFailed, clock_.Now(),
                                  workers_.name(sequence.worker()));
  if (moved.ok()) return;
  Finish(sequence.id(), absl::UnavailableError(absl::StrCat(
                            reason.message(), ", and no worker can continue: ",
                            moved.message())));
}

void DenseCore::MoveFromSilent() {
  if (silent_.empty()) return;
  for (auto& [id, sequence] : sequences_) {
    const LinkId from = sequence.worker();
    const auto silent = silent_.find(from);
    if (silent == silent_.end()) continue;
    // It may stay: the worker may be back soon.
    Move(sequence, MoveCause::kSilent, silent->second, workers_.name(from))
        .IgnoreError();
  }
}

bool DenseCore::HandsOver(LinkId worker) const {
  return workers_.Contains(worker) && workers_.info(worker).draining &&
         workers_.info(worker).hand_over;
}

void DenseCore::HandOver() {
  std::optional<std::set<LinkId>> replayed_for;
  for (auto& [id, sequence] : sequences_) {
    const LinkId from = sequence.worker();
    if (sequence.state() == SequenceState::kAwaiting || !HandsOver(from)) {
      continue;
    }
    const absl::StatusOr<LinkId> other =
        ChooseNext(sequence, MoveCause::kHandOver);
    if (!other.ok()) continue;  // It may stay.
    if (!replayed_for) replayed_for = ReplayedFor();
    // It would only wait there.
    if (workers_.IsBusy(*other) ||
        (sequence.has_blocks() && replayed_for->contains(*other))) {
      workers_.Release(*other, id);
      continue;
    }
    if (sequence.has_blocks()) replayed_for->insert(*other);
    MoveTo(sequence, *other, MoveCause::kHandOver, clock_.Now(),
           workers_.name(from));
  }
}

std::set<LinkId> DenseCore::ReplayedFor() const {
  std::set<LinkId> workers;
  for (const auto& [worker, rows] : ledger_.ReplayedInFlight()) {
    workers.insert(worker);
  }
  for (const auto& [id, sequence] : sequences_) {
    if (scheduler_.Replays(id)) workers.insert(sequence.worker());
  }
  return workers;
}

Scheduler::ReplayRooms DenseCore::ReplayRooms() const {
  using ByWorker = std::map<LinkId, int>;
  return [this, in_flight = std::optional<ByWorker>()](SequenceId id) mutable {
    if (!in_flight) in_flight = ledger_.ReplayedInFlight();
    const LinkId worker = sequences_.at(id).worker();
    const auto replayed = in_flight->find(worker);
    const int rows = replayed == in_flight->end() ? 0 : replayed->second;
    return Scheduler::ReplayRoom{worker, std::max(0, kReplayedRows - rows)};
  };
}

}  // namespace apollo
