#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/prompt/prompt.h"
#include "sequence/generation.h"

namespace apollo {

// A client's request as plain data, independent of the front that received it.
// The numbers are as wide as on the wire; request_checks.h checks their ranges.

// The fields that GenerateInput and ScoreInput share.
struct PromptInput {
  std::string request_id;  // Empty if none was given.
  bool is_chat = false;
  bool is_tokens = false;
  std::string prompt;                // If neither a chat nor tokens.
  std::vector<ChatTurn> chat;        // If a chat; the last turn is the user's.
  std::vector<std::int32_t> tokens;  // If tokens: the whole prompt.
  bool parse_special_tokens = false;
  // A code of the families table; empty: detect. Fronts translate other names
  // of a language (model/language/language_names.h).
  std::string language;
  bool hybrid = false;
  int priority = 0;
};

// The part of an answer that a client received before its stream broke.
struct ResumedAnswer {
  std::vector<std::int32_t> tokens;
  bool finished = false;
  // Size of the text that it received. Unset: all that came with the tokens.
  std::optional<std::int64_t> text_bytes;
};

// What a client knows of a broken stream that it continues.
struct ResumeInput {
  std::vector<ResumedAnswer> choices;  // The first ones; others are empty.
  std::uint64_t seed = 0;              // Of choice 0.
  std::string language;  // A code of the families table; empty: none.
  std::int64_t family = -1;
  std::string numerics;  // See sequence/numerics_text.h; empty: unknown.
};

struct GenerateInput {
  PromptInput input;
  SamplingOptions sampling;
  bool has_seed = false;
  std::int64_t choices = 1;
  std::int64_t max_new_tokens = 0;  // 0: the maximum allowed.
  std::vector<std::string> stops;
  std::vector<std::int32_t> stop_tokens;
  bool wants_logprobs = false;
  std::int64_t top_logprobs = 0;
  bool wants_prompt_logprobs = false;
  std::int64_t prompt_logprobs = 0;  // Alternatives with each.
  bool ignore_eos = false;
  std::optional<ResumeInput> resume;
};

struct ScoreInput {
  PromptInput input;
  std::vector<std::string> continuations;
};

}  // namespace apollo
