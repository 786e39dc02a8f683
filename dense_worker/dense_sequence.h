#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/backoff.h"
#include "dense_worker/sequence_state.h"
#include "engine/scheduler.h"
#include "link/link_session.h"
#include "model/config/model_config.h"
#include "sequence/generation.h"

namespace apollo {

// One sequence of a dense worker: its tokens, its state, and what its expert
// worker's answers mean for it. Knows no other sequences, blocks or links; the
// core joins it with these. One thread.
class DenseSequence {
 public:
  // How long a sequence waits that finds no room at its expert worker, where no
  // other sequence of the core is that could make some: at first, and at most.
  static constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
  static constexpr absl::Duration kLongestPause = absl::Seconds(2);

  // The request has passed CheckRequest. `config` must outlive the sequence.
  DenseSequence(SequenceId id, GenerationRequest request, LinkId worker,
                std::shared_ptr<GenerationSink> sink,
                const ModelConfig& config);

  SequenceId id() const { return id_; }
  const GenerationRequest& request() const { return request_; }
  SequenceState state() const { return state_; }
  std::uint32_t attempt() const { return attempt_; }
  LinkId worker() const { return worker_; }
  std::span<const std::int32_t> tokens() const { return tokens_; }
  // The known tokens that are run: the last one of a scored prompt is not.
  std::span<const std::int32_t> fed_tokens() const;

  // Each of the following changes the state as its table says; where it says
  // no, that is a broken invariant.
  //
  // The sequence got blocks.
  void Admit();
  // Forms the message for rows that run now.
  SequenceRows Feed(const Scheduler::Slice& slice);
  // It lost its blocks here: what it computes from now on is a new attempt.
  void Preempt();
  // The same, as its worker has no room. It is held until LetGo.
  void Hold();
  void LetGo();
  // Tells the sink. The last call.
  void Finish(absl::StatusOr<GenerationFinished> result);

  // While it waits: it will run at that worker.
  void MoveTo(LinkId worker);
  // What its tokens depend on besides the model: those of its first worker;
  // none before it has begun. See WorkerInfo.
  const std::optional<std::string>& numerics() const { return numerics_; }
  void SetNumerics(std::string numerics) { numerics_ = std::move(numerics); }
  // Tells the sink, unless it was told before; true if so.
  bool Start(const GenerationStarted& started);

  // A held sequence's time to try again, if it has one.
  std::optional<absl::Duration> retry_at() const { return retry_at_; }
  void SetRetryAt(absl::Duration time) { retry_at_ = time; }
  // The pause before the next try; pauses grow until something is computed.
  absl::Duration NextPause() { return pauses_.Next(); }

  // The answer to rows of the current attempt.
  struct Verdict {
    enum class Kind {
      kGoesOn,  // More is to come.
      kToken,   // The next token came; there will be more.
      kNoRoom,  // Its worker gave its blocks to others.
      kOver,    // To be finished with `result`.
    };
    Kind kind = Kind::kGoesOn;
    absl::StatusOr<GenerationFinished> result = GenerationFinished();
  };
  // Takes it, and passes a token on to the sink.
  Verdict Take(const SequenceOutput& output);

  // Blocks that others can find.
  int published() const { return published_; }
  void SetPublished(int blocks) { published_ = blocks; }
  // The caller wants the sequence to rest.
  bool caller_paused() const { return caller_paused_; }
  void SetCallerPaused(bool paused) { caller_paused_ = paused; }

 private:
  void Apply(SequenceEvent event);
  void BeginAnew();
  Verdict TakeScores(const SequenceOutput& output);
  Verdict TakeToken(const SequenceOutput& output);
  std::vector<LayerUse> Use() const;
  Verdict Complete(FinishCause cause) const;

  // Constant after construction.
  const SequenceId id_;
  const GenerationRequest request_;
  const std::shared_ptr<GenerationSink> sink_;
  const ModelConfig& config_;

  // Owned by the thread.
  SequenceState state_ = SequenceState::kWaiting;
  LinkId worker_;
  std::optional<std::string> numerics_;
  std::uint32_t attempt_ = 1;
  std::vector<std::int32_t> tokens_;       // Prompt and answer so far.
  std::vector<std::uint64_t> expert_use_;  // [sparse layers, experts]
  std::vector<std::uint64_t> off_family_;  // [sparse layers]
  std::vector<float> score_logprobs_;
  int awaited_ = 0;  // While awaiting: the position before that token.
  int published_ = 0;
  bool caller_paused_ = false;
  bool started_ = false;  // The sink was told.
  std::optional<absl::Duration> retry_at_;
  Backoff pauses_ = {kFirstPause, kLongestPause};
};

}  // namespace apollo
