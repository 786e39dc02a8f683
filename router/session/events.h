#pragma once

#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "router/model/language_choice.h"
#include "router/model/router_model.h"
#include "sequence/generation.h"

namespace apollo {

// The events that a session reports to its front, as plain data.

// A request was accepted and is running.
struct AnswerStarted {
  std::string request_id;
  LanguageChoice language;
  std::string family_name;
  int prompt_tokens = 0;
  int cached_tokens = 0;  // Prompt tokens found in the cache.
  std::string dense_worker;
  std::string expert_worker;
  std::uint64_t seed = 0;  // Of choice 0.
  std::string numerics;    // See sequence/numerics_text.h; empty: unknown.
};

// Returns an AnswerStarted with all fields but the workers and cached_tokens.
AnswerStarted MakeStarted(const RouterModel& model,
                          const std::string& request_id,
                          const LanguageChoice& language,
                          std::size_t prompt_tokens, std::uint64_t seed);

struct AnswerAlternative {
  std::int32_t token = 0;
  std::string_view bytes;  // Owned by the model's tokenizer.
  float logprob = 0;
};

struct AnswerToken {
  std::int32_t token = 0;
  float logprob = 0;
  std::vector<AnswerAlternative> alternatives;  // Best first.
};

// The next piece of one answer.
struct AnswerDelta {
  int choice = 0;
  int index = 0;     // Position of the first of `tokens` in the answer, from 0.
  std::string text;  // Final text, whole characters only; may be empty.
  std::vector<AnswerToken> tokens;
  bool with_logprobs = false;  // The client asked for log-probabilities.
};

// Consecutive tokens of the prompt with their log-probabilities.
struct AnswerPrompt {
  int index = 0;  // Position of the first of `tokens` in the prompt.
  std::vector<AnswerToken> tokens;
};

enum class AnswerEnd { kEos, kStop, kLength };

// One answer is complete.
struct AnswerFinished {
  int choice = 0;
  AnswerEnd reason = AnswerEnd::kEos;
  // With kStop, one of these: the index of the stop string, or the token.
  std::optional<int> matched_stop;
  std::optional<std::int32_t> matched_token;
  int prompt_tokens = 0;
  int cached_tokens = 0;
  int generated_tokens = 0;
  // Times since the request's arrival.
  absl::Duration queue;                       // Until it started.
  std::optional<absl::Duration> first_token;  // Absent if there was no token.
  absl::Duration total;
  std::vector<LayerUse> expert_use;  // One for each sparse layer.
};

struct ScoredContinuation {
  double logprob = 0;  // Sum of token_logprobs.
  std::vector<std::int32_t> tokens;
  std::vector<float> token_logprobs;
};

struct ScoreResult {
  AnswerStarted started;
  std::vector<ScoredContinuation> scores;  // In the order of the request.
  int best = 0;  // Index of the highest logprob; the lowest index on a tie.
};

}  // namespace apollo
