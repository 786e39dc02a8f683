#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sequence/sampling.h"

namespace apollo {

struct TokenLogprob {
  std::int32_t token = 0;
  float logprob = 0;
  bool operator==(const TokenLogprob&) const = default;
};

inline constexpr int kMaxPriority = 100;
inline constexpr int kMaxTopLogprobs = 20;

// One sequence to run: what the router asks of a dense worker.
struct GenerationRequest {
  std::string request_id;            // For logs only.
  std::vector<std::int32_t> prompt;  // At least one token.
  // The last so many tokens of `prompt` are the beginning of the answer, fewer
  // than it has: penalties count them, and new tokens have the indices from
  // answer_tokens on. A sequence that is continued elsewhere with what it has
  // generated so far goes on as if nothing had happened. 0 with score_tokens.
  int answer_tokens = 0;
  int family = -1;      // Expert of the language family, or -1.
  bool hybrid = false;  // Pin that expert. Needs a family.
  SamplingOptions sampling;
  // At least 1, unless scoring. The given answer_tokens do not count.
  int max_new_tokens = 0;
  // Nobody asked for that many: where the caches hold fewer, generate fewer.
  bool shorten_to_cache = false;
  // Alternatives to report with each token, from 0 to kMaxTopLogprobs.
  int top_logprobs = 0;
  bool ignore_eos = false;
  // If above 0: generate nothing, report the log-probabilities of the prompt's
  // last score_tokens tokens (fewer than the prompt has).
  int score_tokens = 0;
  // For counting only: a code of the families table, or empty if it is not
  // known.
  std::string language;
  bool use_with_tokens = false;  // Report the expert use with each token.
  // A higher one runs first. From -kMaxPriority to kMaxPriority.
  int priority = 0;
  // Sequences share cached prefixes only with the same salt: one for each
  // tenant.
  std::string cache_salt;
  bool operator==(const GenerationRequest&) const = default;
};

// Those of `prompt` that are no part of the answer.
inline int PromptTokens(const GenerationRequest& request) {
  return static_cast<int>(request.prompt.size()) - request.answer_tokens;
}

struct GenerationStarted {
  std::string dense_worker;  // Names of processes.
  std::string expert_worker;
  int cached_tokens = 0;  // Of those given, found in the cache.
  bool operator==(const GenerationStarted&) const = default;
};

// How tokens were routed in one sparse layer.
struct LayerUse {
  int layer = 0;
  std::vector<std::uint64_t> tokens_by_expert;  // [experts]
  // Tokens whose k experts, as the gate alone chose them, leave out the expert
  // of the sequence's family. With hybrid routing that expert then took the
  // place of the last of them. 0 without a family.
  std::uint64_t off_family_tokens = 0;
  bool operator==(const LayerUse&) const = default;
};

struct GeneratedToken {
  // Position in the answer, without gaps; the first is answer_tokens.
  int index = 0;
  std::int32_t token = 0;
  float logprob = 0;
  std::vector<TokenLogprob> alternatives;
  // With use_with_tokens: one for each sparse layer, over all rows up to the
  // one that gave this token.
  std::vector<LayerUse> expert_use = {};
  bool operator==(const GeneratedToken&) const = default;
};

enum class FinishCause { kEos, kLength, kScored };

struct GenerationFinished {
  FinishCause cause = FinishCause::kEos;
  std::vector<LayerUse> expert_use;   // One for each sparse layer.
  std::vector<float> score_logprobs;  // [score_tokens]
  bool operator==(const GenerationFinished&) const = default;
};

// Receives one sequence's events: OnStarted once, OnToken for each token in
// order (the end-of-text token is not reported), OnFinished once and last, with
// an error if the sequence could not be completed. Calls come one at a time
// from threads of the backend; they must return quickly and must not destroy
// the call.
class GenerationSink {
 public:
  virtual ~GenerationSink() = default;
  virtual void OnStarted(const GenerationStarted& started) = 0;
  virtual void OnToken(const GeneratedToken& token) = 0;
  virtual void OnFinished(absl::StatusOr<GenerationFinished> finished) = 0;
};

// A running sequence. Destroying it does not cancel it.
class GenerationCall {
 public:
  virtual ~GenerationCall() = default;
  // Frees all that the sequence holds. OnFinished follows with CANCELLED,
  // unless it came or is coming with something else. Any thread, any number of
  // times.
  virtual void Cancel() = 0;
  // While paused, the sequence is not computed further; it keeps what it holds
  // unless others need the room. A few tokens that are under way may still
  // come. Of several calls the last counts. Has no effect once the sequence is
  // over. Never blocks and never calls the sink, so that whoever calls it may
  // hold a lock that the sink takes. Any thread.
  virtual void SetPaused(bool paused) = 0;
};

// Something that runs sequences: a dense worker, here or in another process.
class GenerationBackend {
 public:
  virtual ~GenerationBackend() = default;
  // Never blocks. The sink is kept until OnFinished has returned. Thread-safe.
  virtual std::unique_ptr<GenerationCall> Start(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink) = 0;
};

}  // namespace apollo
