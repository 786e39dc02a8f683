#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "dense_worker/observer.h"
#include "dense_worker/placement.h"
#include "engine/dense_stage.h"
#include "engine/prefix_cache.h"
#include "engine/scheduler.h"
#include "link/answer_watch.h"
#include "link/link_session.h"
#include "sequence/generation.h"

namespace apollo {

// What a dense worker does, as a state machine driven by events: owns
// sequences, forms steps, runs the dense layers, sends boundary activations to
// the expert worker of each sequence and passes the tokens that come back to
// the sinks.
//
// What the cache holds of a prompt is not computed again: its boundary
// activations are sent from there. A sequence that is preempted, here or by its
// expert worker, starts anew in the same way, with the next attempt number,
// from its prompt and the tokens that its sink has seen; nothing of that shows
// in its tokens.
//
// Two steps may be in flight, so that the dense layers of one run while expert
// workers compute the other. A worker that keeps its link but does not answer
// delays the sequences of others for `silent_after` at most, and its own fail
// after `answer_timeout`. One thread. No gRPC, and no time but the clock that
// is given.
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

  // `observer` and `clock` must outlive the core.
  DenseCore(Options options, std::unique_ptr<DenseStage> stage,
            DenseObserver& observer, const Clock& clock = Clock::Real());
  // Sequences that are left finish with UNAVAILABLE.
  ~DenseCore();

  void LinkUp(LinkId id, const Hello& peer, std::shared_ptr<Link> link);
  void LinkFrame(LinkId id, Frame frame);
  // The worker has left the list, or is on it again. It gets no new sequences,
  // and its link is closed once those that it has are over.
  void LinkLeaving(LinkId id, bool leaving);
  void LinkDown(LinkId id);
  // Looks after workers that do not answer; call it several times a second.
  // Frames that came before `now` have been passed to LinkFrame.
  void Tick(absl::Duration now);

  // Takes a sequence; `id` is new. Errors go to the sink.
  void Submit(SequenceId id, GenerationRequest request,
              std::shared_ptr<GenerationSink> sink);
  void Cancel(SequenceId id);
  // The caller's wish: see GenerationCall::SetPaused. Ids of sequences that are
  // over are ignored.
  void SetPaused(SequenceId id, bool paused);

  // Whether Advance would run a step.
  bool HasWork() const;
  // Forms and runs the next step.
  void Advance();

  int sequences() const { return static_cast<int>(sequences_.size()); }
  // Whether some live expert worker reaches every expert of the model.
  bool AllExpertsLive() const { return placement_.Covers(); }

 private:
  struct Sequence {
    GenerationRequest request;
    std::shared_ptr<GenerationSink> sink;
    LinkId worker = 0;
    std::uint32_t attempt = 1;
    std::vector<std::int32_t> tokens;       // Prompt and answer so far.
    std::vector<std::uint64_t> expert_use;  // [sparse layers, experts]
    std::vector<std::uint64_t> off_family;  // [sparse layers]
    std::vector<float> score_logprobs;
    int awaited = -1;     // The position whose next token was asked for, or -1.
    bool paused = false;  // By the caller.
    bool started = false;  // The sink was told.
    bool held = false;     // Its worker has no room: waits for another to end.
    int published = 0;     // Blocks that others can find.
  };

  absl::Status Check(const GenerationRequest& request) const;
  // Positions that the sequence will compute at most.
  static std::int64_t MaxPositions(const GenerationRequest& request);
  // Lowers max_new_tokens to what the caches hold, but not below 1, if the
  // request allows that.
  void ShortenToCache(GenerationRequest& request) const;
  void TakeOutput(LinkId from, const SequenceOutput& output);
  // The blocks that hold the start of a sequence's tokens.
  BlockTable FindCached(SequenceId id) const;
  // A sequence has lost its blocks, here or there: what it computes from now on
  // is a new attempt.
  void Restart(SequenceId id);
  // Its expert worker has no room for a sequence now.
  void Hold(SequenceId id);
  void Begin(const Scheduler::Admission& admission);
  // Lets others find the blocks that a step has filled.
  void Publish(const Scheduler::Slice& slice);
  void ReportCache();
  // A silent worker's steps do not count as in flight, and it gets no others.
  void SetSilent(LinkId id, bool silent);
  // A sequence rests while its caller or its worker's silence wants that.
  void UpdatePaused(SequenceId id, const Sequence& sequence);
  // The stage is done with a step.
  void StepDone(std::uint64_t number, Rows boundary);
  // Sends a frame behind all that wait.
  void Send(LinkId to, Frame frame);
  void SendReady();
  // Steps that the stage or a worker which is not silent still has to do.
  int StepsInFlight() const;
  // A sequence that begins anew leaves a worker that takes none.
  void MoveIfNeeded(SequenceId id);
  // Ends a sequence everywhere and tells its sink.
  void Finish(SequenceId id, absl::StatusOr<GenerationFinished> result);
  std::vector<LayerUse> UseOf(const Sequence& sequence) const;
  GenerationFinished Summary(const Sequence& sequence, FinishCause cause) const;
  SequenceRows RowsFor(const Scheduler::Slice& slice) const;
  // The tokens that a sequence will feed, as far as they are known.
  std::span<const std::int32_t> FedTokens(const Sequence& sequence) const;

  const Options options_;
  const std::unique_ptr<DenseStage> stage_;
  const int num_experts_;
  DenseObserver& observer_;
  PrefixCache prefixes_;
  Scheduler scheduler_;
  Placement placement_;
  std::map<LinkId, std::shared_ptr<Link>> links_;
  std::map<SequenceId, Sequence> sequences_;
  // Rows that a worker must answer for, and what its answer is counted under,
  // as the sequence may be over by then.
  struct AskedRows {
    std::string language;
    bool has_family = false;
  };
  // Steps that some worker has not answered yet, and which sequences (with
  // their attempt) each of those workers must answer for.
  using Asked = std::map<std::pair<SequenceId, std::uint32_t>, AskedRows>;
  std::map<std::uint64_t, std::map<LinkId, Asked>> in_flight_;
  std::uint64_t next_step_ = 1;
  // Frames that leave together. Steps leave in their order, whatever the order
  // in which the stage is done with them, and what follows a step leaves behind
  // it.
  struct Departure {
    struct Part {
      LinkId to = 0;
      Frame frame;
      // Its part of the step's boundary activations.
      int first_row = 0;
      int rows = 0;
      Asked asked;
    };
    std::uint64_t step = 0;  // 0: none.
    std::vector<Part> parts;
    bool ready = false;  // Not before the stage is done with the step.
  };
  std::deque<Departure> outbox_;
  AnswerWatch answers_;
  std::set<LinkId> silent_;
};

}  // namespace apollo
