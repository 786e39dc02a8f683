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

// The events that a session tells its front, as plain data.

// A request was accepted and runs.
struct AnswerStarted {
  std::string request_id;
  LanguageChoice language;
  std::string family_name;
  int prompt_tokens = 0;
  int cached_tokens = 0;  // Of these, found in the cache.
  std::string dense_worker;
  std::string expert_worker;
  std::uint64_t seed = 0;  // Of choice 0.
};

// Fills in all but workers and cached_tokens.
AnswerStarted MakeStarted(const RouterModel& model,
                          const std::string& request_id,
                          const LanguageChoice& language,
                          std::size_t prompt_tokens, std::uint64_t seed);

struct AnswerAlternative {
  std::int32_t token = 0;
  std::string_view bytes;  // Of the model's tokenizer.
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
  std::string text;  // Whole characters that are certain; may be empty.
  std::vector<AnswerToken> tokens;
  bool with_logprobs = false;  // They were asked for.
};

enum class AnswerEnd { kEos, kStop, kLength };

// One answer is complete.
struct AnswerFinished {
  int choice = 0;
  AnswerEnd reason = AnswerEnd::kEos;
  int prompt_tokens = 0;
  int cached_tokens = 0;
  int generated_tokens = 0;
  // From the request's arrival.
  absl::Duration queue;                       // Until a dense worker took it.
  std::optional<absl::Duration> first_token;  // None came: nothing.
  absl::Duration total;
  std::vector<LayerUse> expert_use;  // One for each sparse layer.
};

struct ScoredContinuation {
  double logprob = 0;  // Sum of the tokens'.
  std::vector<std::int32_t> tokens;
  std::vector<float> token_logprobs;
};

struct ScoreResult {
  AnswerStarted started;
  std::vector<ScoredContinuation> scores;  // In the order of the request.
  int best = 0;  // Index of the highest sum; the lowest among equals.
};

}  // namespace apollo
