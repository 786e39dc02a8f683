#pragma once

#include <cstdint>
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
  std::string prompt;          // If not a chat.
  std::vector<ChatTurn> chat;  // If a chat; the last turn is the user's.
  bool parse_special_tokens = false;
  // A code of the families table; empty: detect. Fronts translate other names
  // of a language (model/language/language_names.h).
  std::string language;
  bool hybrid = false;
  int priority = 0;
};

struct GenerateInput {
  PromptInput input;
  SamplingOptions sampling;
  bool has_seed = false;
  std::int64_t choices = 1;
  std::int64_t max_new_tokens = 0;  // 0: the maximum allowed.
  std::vector<std::string> stops;
  bool wants_logprobs = false;
  std::int64_t top_logprobs = 0;
  bool ignore_eos = false;
};

struct ScoreInput {
  PromptInput input;
  std::vector<std::string> continuations;
};

}  // namespace apollo
