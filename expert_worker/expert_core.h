#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "engine/expert_stage.h"
#include "engine/sampler.h"
#include "expert_worker/observer.h"
#include "link/answer_watch.h"
#include "link/link_session.h"

namespace apollo {

// What an expert worker does, as a state machine driven by events: merges the
// steps that wait from all dense workers into one batch, takes it through the
// sparse layers, sends rows of experts that live elsewhere to the worker that
// has them, computes rows that others send, samples, and answers.
//
// While a batch waits for a peer, events keep being handled, so that this
// worker still serves that peer's rows: no two workers can wait for each other.
//
// The cache may fill up, because dense workers do not know of each other. Then
// the sequence that was opened last makes room: its rows are answered with
// ABORTED, and its dense worker begins it again. The oldest always goes on.
//
// A peer that keeps its links but does not answer holds up a batch for
// `answer_timeout` at most; then the rows that wait for it fail, and it gets no
// others until its engine speaks on a new link.
//
// One thread. No gRPC, and no time but the clock that is given.
class ExpertCore {
 public:
  struct Options {
    absl::Duration answer_timeout = absl::Seconds(10);
  };

  // `observer` and `clock` must outlive the core.
  ExpertCore(Options options, std::unique_ptr<ExpertStage> stage,
             ExpertObserver& observer, const Clock& clock = Clock::Real());
  ~ExpertCore();

  void LinkUp(LinkId id, const Hello& peer, std::shared_ptr<Link> link);
  void LinkFrame(LinkId id, Frame frame);
  // The peer has left the list of workers, or is on it again. It counts as out
  // of reach, and its link is closed once the sequences that are here now,
  // which may need its experts, are over.
  void LinkLeaving(LinkId id, bool leaving);
  void LinkDown(LinkId id);
  // Looks after peers that do not answer; call it several times a second.
  // Frames that came before `now` have been passed to LinkFrame.
  void Tick(absl::Duration now);

  // Tells dense workers to give this one no new sequences, and peers no rows.
  // What it has goes on.
  void Drain();

  // Whether Advance would do something.
  bool HasWork() const;
  // Does the next piece of work: at most one layer of the current batch.
  void Advance();

  // Sequences that hold cache blocks.
  int sequences() const { return static_cast<int>(sequences_.size()); }
  // The experts resident here or on linked peers.
  std::set<int> ReachableExperts() const;

  // Cache blocks free.
  int free_blocks() { return stage_->cache().pool().available(); }

 private:
  struct Peer {
    Hello hello;
    std::shared_ptr<Link> link;
    // Experts that it computes rows of (expert workers): none until it says so,
    // which its engine does, and none once it has owed an answer for too long.
    std::set<int> offers = {};
    // Once it has left the list of workers: the last sequence that was opened
    // before.
    std::optional<std::uint64_t> leaving = {};
  };
  // Sequences of different dense workers may have the same number.
  using SequenceKey = std::pair<LinkId, std::uint64_t>;
  struct Sequence {
    std::uint32_t attempt = 0;
    SequenceStart start;
    BlockTable blocks;
    int next_position = 0;
    TokenCounts generated;
    std::uint64_t opened = 0;  // In the order of opening.
  };
  struct WaitingStep {
    LinkId from = 0;
    StageStep step;
    Rows boundary;  // [rows, hidden]
  };
  struct Batch;

  // Checks of what a peer sent. Not OK: the link is closed.
  absl::Status AddStep(LinkId from, StageStep step, Rows payload);
  absl::Status ServeRows(const Peer& peer, const ExpertRows& rows,
                         const Rows& payload);
  absl::Status TakeOutputs(LinkId from, const ExpertOutputs& outputs,
                           const Rows& payload);
  // Dense workers are told what this worker reaches, peers what it has itself.
  void SendReach(const Peer& peer) const;
  void SendReachToAll(WorkerRole role) const;
  // Closes the links to peers that have left and that no sequence needs.
  void CloseLeft();
  // Takes nothing from the process behind a link any more.
  void GiveUp(LinkId id);
  void Release(LinkId from, const ReleaseSequences& release);
  void ReleaseOne(const SequenceKey& key);

  void StartBatch();
  // Finds or opens the sequence of some rows and gives it blocks.
  absl::Status Prepare(LinkId from, const SequenceRows& rows);
  // Gives the sequence that many blocks. Where none are free, those that were
  // opened last lose theirs; false if this one is the last.
  bool MakeRoom(const SequenceKey& key, int blocks);
  void Evict(const SequenceKey& key);
  void RunLayer();
  void CountRouting();
  void DispatchExperts();
  void FailRows(const std::vector<int>& choices, const absl::Status& status);
  void FinishLayer();
  void FinishBatch();

  const Options options_;
  const std::unique_ptr<ExpertStage> stage_;
  ExpertObserver& observer_;
  AnswerWatch answers_;
  std::map<LinkId, Peer> peers_;
  std::map<SequenceKey, Sequence> sequences_;
  std::deque<WaitingStep> waiting_;
  std::unique_ptr<Batch> batch_;
  std::vector<SequenceKey> release_after_batch_;
  // Attempts that lost their blocks, until their dense worker has let go of
  // them.
  std::map<SequenceKey, std::uint32_t> evicted_;
  bool draining_ = false;
  std::uint64_t opened_ = 0;
  std::uint64_t next_ticket_ = 1;
};

}  // namespace apollo
