#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sequence/sampling.h"
#include "tracing/trace_context.h"

namespace apollo {

struct TokenLogprob {
  std::int32_t token = 0;
  float logprob = 0;
  bool operator==(const TokenLogprob&) const = default;
};

inline constexpr int kMaxPriority = 100;
inline constexpr int kMaxTopLogprobs = 20;
inline constexpr int kMaxEndTokens = 16;

// The numerics ids of the workers that compute a sequence (engine/numerics.h),
// on which its tokens depend besides the model. An id may be empty: unknown.
struct SequenceNumerics {
  std::string dense;
  std::string expert;
  bool operator==(const SequenceNumerics&) const = default;
};

class PromptHashes;
class SharedNumerics;

// A sequence to generate or score: a router's request to a dense worker.
struct GenerationRequest {
  std::string request_id;            // For logs only.
  std::vector<std::int32_t> prompt;  // At least one token.
  // The number of tokens at the end of `prompt` that already belong to the
  // answer; less than the size of `prompt`. Penalties count them, and new
  // tokens get indices from answer_tokens on, so a sequence that another worker
  // resumes continues as if it had not been interrupted. Must be 0 with
  // score_tokens.
  int answer_tokens = 0;
  int family = -1;      // Expert of the language family, or -1.
  bool hybrid = false;  // Pin that expert. Requires a family.
  SamplingOptions sampling;
  // At least 1, unless scoring. Excludes answer_tokens.
  int max_new_tokens = 0;
  // The limit is a default, not the caller's: generate fewer tokens if the
  // caches hold fewer.
  bool shorten_to_cache = false;
  // Alternatives to report with each token, from 0 to kMaxTopLogprobs.
  int top_logprobs = 0;
  // Tokens that end the answer, besides those of the model's config; at most
  // kMaxEndTokens.
  std::vector<std::int32_t> end_tokens;
  bool ignore_eos = false;  // No token ends the answer.
  // If positive: generate nothing and report the log-probabilities of the
  // prompt's last score_tokens tokens (less than the size of the prompt).
  int score_tokens = 0;
  // If set: report the log-probability of each token of the prompt but the
  // first, with this many alternatives, from 0 to kMaxTopLogprobs. Must be
  // unset with score_tokens or answer_tokens.
  std::optional<int> prompt_logprobs;
  // A code of the families table, or empty if unknown. Used for counting only.
  std::string language;
  bool use_with_tokens = false;  // Report expert use with each token.
  // Higher priorities run first. From -kMaxPriority to kMaxPriority.
  int priority = 0;
  // Sequences share cached prefixes only if their salts are equal. Use one per
  // tenant.
  std::string cache_salt;
  // The name of the caller in the router's policy. Callers share a worker's
  // time fairly; all unnamed ones count as one.
  std::string caller;
  // The time at which nobody needs the result any more, by Clock::Real() of
  // this process. Between processes it travels as the deadline of the call.
  absl::Duration deadline = absl::InfiniteDuration();
  // Of the workers that began the answer: those that go on must have the same,
  // else the sequence ends with UNAVAILABLE. Unset: any. A worker of an older
  // release ignores it, and reports none (GenerationStarted).
  std::optional<SequenceNumerics> numerics = std::nullopt;
  // Shared by the sequences that must have the same numerics, whatever these
  // are (sequence/shared_numerics.h); null: none. Only within a router.
  std::shared_ptr<SharedNumerics> shared_numerics = nullptr;
  // Shared by the sequences with the same prompt and salt, so that it is hashed
  // once (sequence/prompt_hashes.h); null: none. Only within a router.
  std::shared_ptr<PromptHashes> prompt_hashes = nullptr;
  // The span below which the sequence runs; unset: it is not traced. Between
  // processes it travels in the metadata of the call.
  std::optional<TraceContext> trace = std::nullopt;
  bool operator==(const GenerationRequest&) const = default;
};

// Returns the number of tokens of `prompt` that precede the answer.
inline int PromptTokens(const GenerationRequest& request) {
  return static_cast<int>(request.prompt.size()) - request.answer_tokens;
}

// The version of the options of sequences that a worker knows; workers tell it.
// An older worker would ignore a newer option, so it gets no request with one.
//
// 0: not told by the worker.
// 1: min_p, logit_bias, prompt_logprobs.
inline constexpr int kSequenceOptions = 1;

// Returns true if the request uses an option of version 1.
inline bool NeedsNewOptions(const GenerationRequest& request) {
  return request.sampling.min_p != 0 || !request.sampling.logit_bias.empty() ||
         request.prompt_logprobs.has_value();
}

struct GenerationStarted {
  std::string dense_worker;  // Process names.
  std::string expert_worker;
  int cached_tokens = 0;  // Leading tokens of the prompt found in the cache.
  // Unset by workers of older releases.
  std::optional<SequenceNumerics> numerics = std::nullopt;
  bool operator==(const GenerationStarted&) const = default;
};

// The use of the experts of one sparse layer.
struct LayerUse {
  int layer = 0;
  std::vector<std::uint64_t> tokens_by_expert;  // [experts]
  // Tokens whose k experts, as chosen by the gate alone, do not include the
  // expert of the sequence's family. Hybrid routing then replaces the last of
  // the k with that expert. 0 without a family.
  std::uint64_t off_family_tokens = 0;
  bool operator==(const LayerUse&) const = default;
};

// Log-probabilities of consecutive tokens of a prompt, in the model's own
// distribution.
struct PromptLogprobs {
  struct Token {
    std::int32_t token = 0;
    float logprob = 0;
    std::vector<TokenLogprob> alternatives = {};  // Best first.
    bool operator==(const Token&) const = default;
  };
  int index = 0;  // Position of the first of `tokens` in the prompt.
  std::vector<Token> tokens = {};
  bool operator==(const PromptLogprobs&) const = default;
};

struct GeneratedToken {
  // Position in the answer, without gaps, starting at answer_tokens.
  int index = 0;
  std::int32_t token = 0;
  float logprob = 0;
  std::vector<TokenLogprob> alternatives;
  // With use_with_tokens: one entry per sparse layer, over all rows up to the
  // one that produced this token.
  std::vector<LayerUse> expert_use = {};
  bool operator==(const GeneratedToken&) const = default;
};

enum class FinishCause { kEos, kLength, kScored };

struct GenerationFinished {
  FinishCause cause = FinishCause::kEos;
  std::vector<LayerUse> expert_use;   // One per sparse layer.
  std::vector<float> score_logprobs;  // [score_tokens]
  bool operator==(const GenerationFinished&) const = default;
};

// A sequence has gone on after it moved to another expert worker, or to a new
// attempt on the same one. Times are those of Clock::Real() of the dense
// worker.
struct SequenceMove {
  const char* cause = "";  // As in metrics.
  std::string from, to;    // Names of expert workers.
  int rows = 0;            // Replayed ones.
  absl::Duration noticed;  // When the cause was known.
  absl::Duration chosen;   // When the worker was chosen.
  absl::Duration replayed;
  absl::Duration continued;
};

// Receives the events of one sequence:
// - OnStarted once.
// - With prompt_logprobs, OnPrompt for the tokens of the prompt from position 1
//   on, in pieces, in order and without gaps, before the first OnToken.
// - OnToken for each token in order, except the end-of-text token.
// - OnMoved at most once after each move, only within a dense worker.
// - OnFinished once and last, with an error if the sequence could not be
//   completed.
// Calls are serialized but come from threads of the backend. They must return
// quickly and must not destroy the GenerationCall.
class GenerationSink {
 public:
  virtual ~GenerationSink() = default;
  virtual void OnStarted(const GenerationStarted& started) = 0;
  virtual void OnPrompt(const PromptLogprobs& /*prompt*/) {}
  virtual void OnToken(const GeneratedToken& token) = 0;
  virtual void OnMoved(const SequenceMove& /*move*/) {}
  virtual void OnFinished(absl::StatusOr<GenerationFinished> finished) = 0;
};

// A handle to a running sequence. Destroying it does not cancel the sequence.
class GenerationCall {
 public:
  virtual ~GenerationCall() = default;
  // Frees everything that the sequence holds. OnFinished follows with
  // CANCELLED, unless it has been or is being called with another result.
  // Thread-safe and idempotent.
  virtual void Cancel() = 0;
  // Pauses or resumes computation. A paused sequence keeps its cache blocks
  // unless others need them. A few tokens in flight may still arrive. The last
  // call wins; calls have no effect after the end of the sequence. Never blocks
  // and never calls the sink, so the caller may hold a lock that the sink
  // acquires. Thread-safe.
  virtual void SetPaused(bool paused) = 0;
};

// Runs sequences: a dense worker in this or another process.
class GenerationBackend {
 public:
  virtual ~GenerationBackend() = default;
  // Starts a sequence. Never blocks. Holds the sink until OnFinished returns.
  // Thread-safe.
  virtual std::unique_ptr<GenerationCall> Start(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink) = 0;
};

}  // namespace apollo
