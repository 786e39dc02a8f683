#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/prompt/prompt.h"
#include "sequence/generation.h"

namespace apollo {

// A request of a client as plain data, whatever front it came by. The numbers
// are as wide as a client may send them; request_checks.h says which are right.

// Fields that GenerateInput and ScoreInput share.
struct PromptInput {
  std::string request_id;  // Empty: none was given.
  bool is_chat = false;
  std::string prompt;          // If not a chat.
  std::vector<ChatTurn> chat;  // If a chat; the last turn is the user's.
  bool parse_special_tokens = false;
  std::string language;  // Empty: detect. Else in the families.
  bool hybrid = false;
  int priority = 0;
};

struct GenerateInput {
  PromptInput input;
  SamplingOptions sampling;
  bool has_seed = false;
  std::int64_t choices = 1;
  std::int64_t max_new_tokens = 0;  // 0: as many as allowed.
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
