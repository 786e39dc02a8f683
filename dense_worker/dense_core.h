#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "common/clock.h"
#include "dense_worker/dense_counters.h"
#include "dense_worker/dense_sequence.h"
#include "dense_worker/expert_workers.h"
#include "dense_worker/routing_log.h"
#include "dense_worker/step_ledger.h"
#include "engine/dense_stage.h"
#include "engine/prefix_cache.h"
#include "engine/scheduler.h"
#include "link/link_session.h"
#include "sequence/generation.h"

namespace apollo {

// A dense worker as a state machine driven by events: owns sequences, forms
// steps, runs the dense layers, sends boundary activations to the expert worker
// of each sequence and passes the tokens that come back to the sinks. It joins
// sequences (dense_sequence.h), the scheduler, the table of expert workers
// (expert_workers.h) and the ledger of steps in flight (step_ledger.h).
//
// What the cache holds of a prompt is not computed again: its boundary
// activations are sent from there. A sequence that is preempted, here or by its
// expert worker, starts anew in the same way, with the next attempt number,
// from its prompt and the tokens that its sink has seen; nothing of that shows
// in its tokens.
//
// Two steps may be in flight, so that the dense layers of one run while expert
// workers compute the other. A worker whose engine keeps its link but gives no
// sign of life delays the sequences of others for `silent_after` at most, and
// its own fail after `answer_timeout`; however long a step takes, progress is a
// sign of life. One thread. No gRPC, and no time but the clock that is given.
class DenseCore {
 public:
  struct Options {
    std::string name;  // Of this process, for `started`.
    Scheduler::Options scheduler;
    int max_waiting = 1024;  // Sequences that wait for cache blocks.
    int steps_in_flight = 2;
    bool prefix_caching =
        true;  // Sequences share the blocks of equal beginnings.
    absl::Duration silent_after = absl::Seconds(1);
    absl::Duration answer_timeout = absl::Seconds(30);
  };

  // How tokens are routed goes into `routing`. It and `clock` must outlive the
  // core.
  DenseCore(Options options, std::unique_ptr<DenseStage> stage,
            RoutingLog& routing, const Clock& clock = Clock::Real());
  // Sequences that are left finish with UNAVAILABLE.
  ~DenseCore();

  void LinkUp(LinkId id, const WorkerInfo& peer, std::shared_ptr<Link> link);
  void LinkFrame(LinkId id, Frame frame);
  void LinkDown(LinkId id);
  // The peer has left the list of workers, or is there again. While it is
  // leaving it gets no new sequences; once none of this core is left on it, the
  // core closes the link. Unknown ids are ignored.
  void LinkLeaving(LinkId id, bool leaving);
  // The link has room for more frames again: see FrameHandler::OnWritable.
  // Unknown ids are ignored.
  void LinkWritable(LinkId id);
  // Looks after workers that give no sign of life, and after sequences that are
  // to try again; call it several times a second. Frames that came before `now`
  // have been passed to LinkFrame.
  void Tick(absl::Duration now);

  // Takes a sequence; `id` is new. Errors go to the sink.
  void Submit(SequenceId id, GenerationRequest request,
              std::shared_ptr<GenerationSink> sink);
  // Of these two, ids of sequences that are over are ignored.
  void Cancel(SequenceId id);
  // The caller's wish: see GenerationCall::SetPaused.
  void SetPaused(SequenceId id, bool paused);

  // Tells if Advance would run a step.
  bool HasWork() const;
  // Forms and runs the next step.
  void Advance();

  // Any thread.
  const DenseCounters& counters() const { return counters_; }

  int sequences() const { return static_cast<int>(sequences_.size()); }
  // Tells if some live expert worker reaches every expert of the model.
  bool AllExpertsLive() const { return workers_.Covers(); }

 private:
  // Chooses the worker of a new sequence, or says why it cannot run.
  absl::StatusOr<LinkId> Place(SequenceId id, const GenerationRequest& request);

  // Frames, once it is known what they are.
  void TakeInfo(LinkId id, const WorkerInfo& info);
  void TakeResult(LinkId id, const StageResult& result);
  void TakeOutput(LinkId from, const SequenceOutput& output);

  // Steps.
  //
  // The blocks that hold the start of a sequence's tokens.
  BlockTable FindCached(SequenceId id) const;
  void Begin(const Scheduler::Admission& admission);
  // A sequence that begins anew leaves a worker that takes none.
  void MoveIfNeeded(DenseSequence& sequence);
  void Preempt(DenseSequence& sequence);
  // Adds rows of a sequence to a step.
  void AddRows(const Scheduler::Slice& slice, DenseStep& step,
               StepLedger::Part& part);
  // Lets others find the blocks that a step has filled.
  void Publish(const Scheduler::Slice& slice);

  // Sequences for which their expert worker has no room now.
  //
  void Hold(DenseSequence& sequence);
  // Says when a held sequence tries again, if not only after another one.
  void SetRetry(DenseSequence& held);
  // The same for all that are held for a worker that takes none any more.
  void SetRetryFor(LinkId worker);
  void LetGo(DenseSequence& held);
  // The sequence is no longer on the worker: there may be room for those that
  // wait for it.
  void Leave(LinkId worker, SequenceId sequence);

  // Tells the worker that the current attempt is over.
  void Release(const DenseSequence& sequence);
  // A silent worker's steps do not count as in flight, and it gets no others.
  void SetSilent(LinkId id, bool silent);
  // A sequence rests while its caller wants that, or its worker is busy.
  void UpdatePaused(const DenseSequence& sequence);
  void UpdatePausedOn(LinkId worker);
  // Ends a sequence everywhere and tells its sink.
  void Finish(SequenceId id, absl::StatusOr<GenerationFinished> result);
  void CountSequences();
  void CountBlocks();

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
  std::map<SequenceId, DenseSequence> sequences_;
};

}  // namespace apollo
