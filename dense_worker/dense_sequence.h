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
#include "sequence/block_hash.h"
#include "sequence/generation.h"

namespace apollo {

// Returns the first position that an expert worker must compute for a sequence,
// whatever it holds of it: that of the first row for which something is asked,
// or whose token penalties count. `tokens` is the number of its known tokens;
// the log-probabilities of `prompt_scored` tokens after the first are there.
int FirstNeeded(const GenerationRequest& request, int tokens,
                int prompt_scored = 0);

// One sequence of a dense worker: its tokens, its state, and the handling of
// its expert worker's answers. Knows nothing of other sequences, blocks or
// links; the core connects it with these. Single-threaded.
class DenseSequence {
 public:
  // The first and the longest pause before a retry of a sequence that found no
  // room at its expert worker, when no other sequence of the core is there to
  // make room.
  static constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
  static constexpr absl::Duration kLongestPause = absl::Seconds(2);

  // The most prompt tokens that the sink gets at a time, so that the messages
  // to routers and clients are small.
  static constexpr std::size_t kMaxPromptPiece = 256;

  // The request must have passed CheckRequest. `config` must outlive the
  // sequence. Without `hashes` expert workers keep nothing of it.
  DenseSequence(SequenceId id, GenerationRequest request, LinkId worker,
                std::shared_ptr<GenerationSink> sink, const ModelConfig& config,
                std::optional<BlockHashes> hashes = std::nullopt);

  SequenceId id() const { return id_; }
  const GenerationRequest& request() const { return request_; }
  SequenceState state() const { return state_; }
  std::uint32_t attempt() const { return attempt_; }
  LinkId worker() const { return worker_; }
  std::span<const std::int32_t> tokens() const { return tokens_; }
  // The known tokens to compute: all, but for the last one of a scored prompt.
  std::span<const std::int32_t> fed_tokens() const;
  // The hashes of the whole blocks of its tokens. Valid until the tokens
  // change.
  std::span<const BlockHash> hashes();
  // The hashes of those that its next attempt need not compute on a worker that
  // holds them.
  std::span<const BlockHash> SkippableHashes();

  // Each of the following changes the state as in the table of
  // sequence_state.h. An event that the table excludes is a broken invariant.
  //
  // Notes that the sequence got blocks.
  void Admit();
  // Forms the message for rows of the current step. The first ones of an
  // attempt may begin behind position 0. `with_hashes`: the worker keeps what
  // it computes for them.
  SequenceRows Feed(const Scheduler::Slice& slice, bool with_hashes = false);
  // Notes that it lost its blocks here, and begins a new attempt.
  void Preempt();
  // Does the same because its worker has no room; the sequence is held until
  // LetGo.
  void Hold();
  void LetGo();
  // Tells the sink about a move after which the sequence has gone on.
  void Moved(const SequenceMove& move) { sink_->OnMoved(move); }
  // Tells the sink how the sequence ended. Must be the last call.
  void Finish(absl::StatusOr<GenerationFinished> result);

  // Moves the sequence to that worker. One that has blocks here begins a new
  // attempt, which feeds all its tokens again; a held one is let go.
  void MoveTo(LinkId worker);
  // True if it has blocks here.
  bool has_blocks() const {
    return state_ == SequenceState::kFeeding ||
           state_ == SequenceState::kAwaiting;
  }
  // The numerics id of its first worker, on which its tokens depend besides the
  // model; nullopt before it has begun, unless the request names it. See
  // WorkerInfo.
  const std::optional<std::string>& numerics() const { return numerics_; }
  void SetNumerics(std::string numerics) { numerics_ = std::move(numerics); }
  // Tells the sink that the sequence has started, and returns true, unless it
  // was told before.
  bool Start(const GenerationStarted& started);

  // The time of a held sequence's next try, if set.
  std::optional<absl::Duration> retry_at() const { return retry_at_; }
  void SetRetryAt(absl::Duration time) { retry_at_ = time; }
  // Returns the pause before the next try. Pauses grow until something is
  // computed.
  absl::Duration NextPause() { return pauses_.Next(); }

  // Attempts in a row that may fail with UNAVAILABLE before the sequence does.
  static constexpr int kMostFailures = 3;
  // Returns the attempts in a row that have failed so.
  int failures() const { return failures_; }

  // The consequence of an answer to rows of the current attempt.
  struct Verdict {
    enum class Kind {
      kGoesOn,  // More answers will follow.
      kToken,   // The next token came, and is not the last.
      kNoRoom,  // Its worker gave its blocks to other sequences.
      kFailed,  // The attempt failed, for the reason in `result`; another may
                // succeed.
      kMissed,  // Its worker lacks rows before those with which it began.
      kOver,    // Ended: finish it with `result`.
    };
    Kind kind = Kind::kGoesOn;
    absl::StatusOr<GenerationFinished> result = GenerationFinished();
  };
  // Handles an answer, and passes a token on to the sink.
  Verdict Take(const SequenceOutput& output);

  // Returns the hashes of the blocks that its worker holds since it has
  // answered for that position, apart from those of earlier calls in the
  // attempt.
  std::span<const BlockHash> NewlyHeld(int position);
  // Returns those of all these calls.
  std::span<const BlockHash> AllHeld();

  // Number of its blocks that other sequences can find.
  int published() const { return published_; }
  void SetPublished(int blocks) { published_ = blocks; }
  // True if the caller has paused the sequence.
  bool caller_paused() const { return caller_paused_; }
  void SetCallerPaused(bool paused) { caller_paused_ = paused; }

 private:
  void Apply(SequenceEvent event);
  void BeginAnew();
  Verdict TakeScores(const SequenceOutput& output);
  // Passes the log-probabilities of prompt tokens on to the sink. Returns an
  // error unless they are those that were asked for.
  absl::Status TakePrompt(const SequenceOutput& output);
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
  std::vector<std::int32_t> tokens_;   // Prompt and answer so far.
  std::optional<BlockHashes> hashes_;  // Of these.
  std::optional<int> began_at_;  // The first position fed in this attempt.
  int held_ = 0;                 // Blocks at its worker; see NewlyHeld.
  int misses_ = 0;               // Attempts in a row that began too late.
  std::vector<std::uint64_t> expert_use_;  // [sparse layers, experts]
  std::vector<std::uint64_t> off_family_;  // [sparse layers]
  std::vector<float> score_logprobs_;
  // With prompt_logprobs: the sink has those of tokens 1 to prompt_scored_. A
  // new attempt does not ask for them again.
  int prompt_scored_ = 0;
  int awaited_ = 0;  // While awaiting a token: the position before it.
  int published_ = 0;
  int answered_ = -1;  // The last position that any attempt had answered.
  int failures_ = 0;   // Of attempts, since answered_ has grown.
  bool caller_paused_ = false;
  bool started_ = false;  // The sink was told.
  std::optional<absl::Duration> retry_at_;
  Backoff pauses_ = {kFirstPause, kLongestPause};
};

}  // namespace apollo
