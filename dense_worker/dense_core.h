#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "dense_worker/dense_counters.h"
#include "dense_worker/dense_sequence.h"
#include "dense_worker/expert_workers.h"
#include "dense_worker/move_log.h"
#include "dense_worker/pinning.h"
#include "dense_worker/queue_delay.h"
#include "dense_worker/routing_log.h"
#include "dense_worker/step_ledger.h"
#include "engine/dense_stage.h"
#include "engine/prefix_cache.h"
#include "engine/scheduler.h"
#include "link/link_session.h"
#include "link/look_watch.h"
#include "sequence/generation.h"

namespace apollo {

// A dense worker as an event-driven state machine. It owns sequences, forms
// steps, runs the dense layers, sends boundary activations to the expert worker
// of each sequence, and passes the returned tokens to the sinks. It combines
// sequences (dense_sequence.h), the scheduler, the table of expert workers
// (expert_workers.h) and the ledger of steps in flight (step_ledger.h).
//
// Cached parts of a prompt are not computed again: their boundary activations
// are sent from the cache, unless the expert worker is believed to hold what it
// has computed for them (dense_core_prefixes.cc). A sequence that is preempted,
// here or by its expert worker, restarts in the same way, with the next attempt
// number, from its prompt and the tokens that its sink has received. Preemption
// does not change its tokens.
//
// A sequence whose expert worker is lost, gives no sign of life or hands its
// sequences over continues on another one (dense_core_moves.cc): it keeps its
// blocks and begins a new attempt, whose boundary rows are replayed from them.
//
// Two steps may be in flight, so that the dense layers of one run while expert
// workers compute the other. A worker behind a slow link delays only its own
// sequences: its late answers are no steps in flight (step_ledger.h). It owes
// about as many rows as the steps in flight could have, and gets no others
// until it answers. A worker that keeps its link but gives no sign of
// life delays the sequences of others for at most `lease`, or `silent_after` if
// only its engine hangs. Then its own move, or wait while no other worker takes
// them, and fail after `answer_timeout`. Progress is a sign of life, however
// long a step takes. Single-threaded. Uses no gRPC, and reads time only from
// the given clock.
class DenseCore {
 public:
  struct Options {
    std::string name;  // Name of this process, for `started`.
    // The key of hashes of prefixes: see PrefixHasher and BlockHashes.
    std::string model_hash;
    std::string numerics;  // Its own (engine/numerics.h).
    Scheduler::Options scheduler;
    int max_waiting = 1024;  // Sequences that may wait for cache blocks.
    // The tokens that these may have; a single one may have more.
    std::int64_t max_waiting_tokens = 1 << 18;
    // Of new sequences, those that may wait for room for each that runs
    // (CheckWait); 0: as many as the two bounds above allow.
    double max_waiting_per_running = 0;
    Pinning pinning = Pinning::kPrefer;
    int steps_in_flight = 2;
    bool prefix_caching =
        true;  // Sequences share the blocks of equal prefixes.
    // Time without any frame from a worker with regular reports, and without
    // progress of a worker's engine, after which the worker is silent.
    absl::Duration lease = absl::Milliseconds(300);
    absl::Duration silent_after = absl::Seconds(1);
    absl::Duration answer_timeout = absl::Seconds(30);
  };

  // Records in `routing` how tokens are routed. `routing` and `clock` must
  // outlive the core.
  DenseCore(Options options, std::unique_ptr<DenseStage> stage,
            RoutingLog& routing, const Clock& clock = Clock::Real());
  // Finishes the remaining sequences with UNAVAILABLE.
  ~DenseCore();

  void LinkUp(LinkId id, const WorkerInfo& peer, std::shared_ptr<Link> link);
  void LinkFrame(LinkId id, Frame frame);
  // Handles a piece of a large frame as a sign of life.
  void LinkPiece(LinkId id);
  // Moves the sequences of the worker to others. Those that no other can take
  // fail with UNAVAILABLE.
  void LinkDown(LinkId id);
  // Handles a peer that has left the list of workers, or is listed again. A
  // leaving peer gets no new sequences, and the core closes its link when the
  // last sequence of this core on it has ended. Ignores unknown ids.
  void LinkLeaving(LinkId id, bool leaving);
  // Handles a link that has room for frames again: see
  // FrameHandler::OnWritable. Ignores unknown ids.
  void LinkWritable(LinkId id);
  // Checks for workers without a sign of life, moves sequences that should
  // leave their workers, and retries held sequences that are due. Call it
  // several times in a lease. Frames that arrived before `now` must have been
  // passed to LinkFrame. Without attention for the lease no worker is found
  // silent, and without that for the time-out no link is closed: see LookWatch.
  void Tick(absl::Duration now, Attentiveness attention = {});

  // Starts a sequence. `id` must be new. Errors go to the sink: among them
  // RESOURCE_EXHAUSTED, with a retry hint (common/retry_hint.h), if too many
  // wait, and DEADLINE_EXCEEDED, at once or later, if its deadline passes.
  void Submit(SequenceId id, GenerationRequest request,
              std::shared_ptr<GenerationSink> sink);
  // These two ignore ids of sequences that have ended.
  void Cancel(SequenceId id);
  // Pauses or resumes for the caller: see GenerationCall::SetPaused.
  void SetPaused(SequenceId id, bool paused);

  // Ends all sequences with the error.
  void EndAll(const absl::Status& error);

  // Returns true if Advance would run a step.
  bool HasWork() const;
  // Forms and runs the next step.
  void Advance();

  // Returns the hashes of the prefixes in the cache, those used last, if they
  // may have changed since the last call that returned some, at least
  // kPrefixPeriod before. nullopt also without prefix caching.
  std::optional<std::vector<std::uint64_t>> PrefixNews(absl::Duration now);
  static constexpr absl::Duration kPrefixPeriod = absl::Seconds(1);
  // Returns the rows of prompts that are not computed yet.
  std::int64_t queued_rows() const { return scheduler_.queued_rows(); }

  // Returns the steps that the stage has completed.
  std::uint64_t steps_computed() const { return steps_computed_; }
  // Returns true while the stage has not completed all of its steps.
  bool AtWork() const { return steps_computed_ < steps_begun_; }

  // Any thread.
  const DenseCounters& counters() const { return counters_; }

  int sequences() const { return static_cast<int>(sequences_.size()); }
  // Returns true if some live expert worker reaches every expert of the model.
  bool AllExpertsLive() const { return workers_.Covers(); }

 private:
  // Chooses the worker of a new sequence. The error states why it cannot run.
  // `hashes` are those of the sequence, if it has some.
  absl::StatusOr<LinkId> Place(SequenceId id, const GenerationRequest& request,
                               std::optional<BlockHashes>& hashes);
  // Returns RESOURCE_EXHAUSTED if a new sequence would wait for too long.
  absl::Status CheckWaitOf(const GenerationRequest& request);
  // Notes after NextStep whether there was room for those that wait.
  void NoteRoom();
  // Returns what a sequence that has begun, or waits, needs of a worker.
  ExpertWorkers::Wanted WantedFor(DenseSequence& sequence) const;

  // Ends sequences whose deadline has passed, whatever their state.
  void FinishLate(absl::Duration now);

  // Handlers of each kind of frame.
  void TakeInfo(LinkId id, const WorkerInfo& info);
  void TakeResult(LinkId id, const StageResult& result);
  void TakeOutput(LinkId from, const SequenceOutput& output);

  // Steps.
  //
  // Returns the cached blocks of the longest prefix of a sequence's tokens.
  BlockTable FindCached(SequenceId id) const;
  void Begin(const Scheduler::Admission& admission);
  // Moves a sequence that restarts if its worker accepts no sequences.
  void MoveIfNeeded(DenseSequence& sequence);
  void Preempt(DenseSequence& sequence);
  // Adds rows of a sequence to a step.
  void AddRows(const Scheduler::Slice& slice, DenseStep& step,
               StepLedger::Part& part);
  // Makes the blocks that a step has filled available to other sequences.
  void Publish(const Scheduler::Slice& slice);

  // What expert workers hold: dense_core_prefixes.cc.
  //
  // Returns the first position that the next attempt at a sequence sends to a
  // worker, at most `most`: the worker is believed to hold the rows before.
  int FirstRow(DenseSequence& sequence, LinkId worker, int most) const;
  // Does that for one that is admitted now.
  int FirstRowAtAdmission(SequenceId id, int cached_tokens);
  // Schedules the rows of a sequence again, for a new attempt on that worker.
  void Replay(DenseSequence& sequence, LinkId worker);
  // Notes what a worker holds since that answer to the current attempt.
  void NoteHeld(LinkId worker, const SequenceOutput& output,
                DenseSequence& sequence);
  // Begins a new attempt at a sequence whose worker holds only that many tokens
  // of its beginning.
  void BeginEarlier(DenseSequence& sequence, int held_tokens);

  // Sequences whose expert worker currently has no room.
  //
  void Hold(DenseSequence& sequence);
  // Sets the time of a held sequence's next try, unless the end of another
  // sequence on its worker triggers it.
  void SetRetry(DenseSequence& held);
  // Does the same for all sequences held for a worker that no longer accepts
  // any.
  void SetRetryFor(LinkId worker);
  void LetGo(DenseSequence& held);
  // Removes the sequence from the worker, and retries sequences that are held
  // for it.
  void Leave(LinkId worker, SequenceId sequence);

  // Tells the worker that the current attempt has ended.
  void Release(const DenseSequence& sequence);
  // Marks a worker as silent or not. Its steps do not count as in flight while
  // it is silent, and it gets no others.
  void SetSilent(LinkId id, bool silent);
  // Finds the workers that owe answers for too many late rows, which are busy.
  void FindBehind();
  // Handles a sign that the worker's engine moves.
  void Moves(LinkId id);
  // Closes the links to workers that owe answers and do not move.
  void CloseTimedOut(absl::Duration now);

  // Moves.
  //
  // Chooses the worker for a sequence that moves. After kFailed it may be the
  // same, but from the second failure in a row on only if no other can begin it
  // now.
  absl::StatusOr<LinkId> ChooseNext(DenseSequence& sequence, MoveCause cause);
  // Moves a sequence to that worker. `noticed`: when the core knew of the
  // cause. The error states why no other takes it; then it stays.
  absl::Status Move(DenseSequence& sequence, MoveCause cause,
                    absl::Duration noticed, const std::string& from_name);
  // Moves it to a worker that was chosen.
  void MoveTo(DenseSequence& sequence, LinkId to, MoveCause cause,
              absl::Duration noticed, const std::string& from_name);
  // Handles that the sequence has its next token, or its scores, perhaps after
  // a move.
  void WentOn(DenseSequence& sequence);
  // Begins a new attempt at a sequence after the last one has failed.
  void Retry(DenseSequence& sequence, const absl::Status& reason);
  // Moves the sequences of silent workers for which there is another worker.
  void MoveFromSilent();
  // Moves sequences of workers that hand theirs over, unless their next token
  // is on its way: to each worker one after the other, so that none waits for
  // the replay of another.
  void HandOver();
  // Returns true if the worker hands its sequences over.
  bool HandsOver(LinkId worker) const;
  // Returns the workers for which rows are replayed, or will be.
  std::set<LinkId> ReplayedFor() const;
  // Returns true if fewer steps are in flight than may be.
  bool MayBeginStep() const;
  // Returns the rows that the next step may replay, by worker. The result reads
  // the ledger once, and only if rows are replayed; it is valid until the
  // ledger changes.
  Scheduler::ReplayRooms ReplayRooms() const;
  // Pauses a sequence while its caller wants that or its worker is busy.
  void UpdatePaused(const DenseSequence& sequence);
  void UpdatePausedOn(LinkId worker);
  // Ends a sequence everywhere and tells its sink.
  void Finish(SequenceId id, absl::StatusOr<GenerationFinished> result);
  void CountSequences();
  void CountBlocks();
  void CountWorkers();

  // Constant after construction.
  const Options options_;
  const std::unique_ptr<DenseStage> stage_;
  RoutingLog& routing_;
  const Clock& clock_;

  // Owned by the thread.
  DenseCounters counters_;
  PrefixCache prefixes_;
  Scheduler scheduler_;
  ExpertWorkers workers_;
  StepLedger ledger_;
  std::uint64_t steps_begun_ = 0;
  std::uint64_t steps_computed_ = 0;
  QueueDelay queue_delay_;
  // The waiting sequences wait for others to end: since a step had no room for
  // the best of them, until none waits. The number that ran when a step last
  // had none.
  std::optional<int> full_with_;
  std::map<SequenceId, DenseSequence> sequences_;
  std::map<LinkId, absl::Duration> silent_;  // Since when, by worker.
  MoveLog moves_;
  std::optional<std::uint64_t> announced_;  // PrefixCache::changes().
  absl::Duration announced_at_;
  // Of sequences that have one.
  std::set<std::pair<absl::Duration, SequenceId>> deadlines_;
};

}  // namespace apollo
