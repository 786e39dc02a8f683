#pragma once

#include <cstddef>
#include <limits>

#include "sequence/generation.h"

namespace apollo {

// Limits on one request.
struct RequestLimits {
  std::size_t max_text_bytes = 1 << 20;  // Prompt, chat, or all continuations.
  int max_new_tokens = 4096;             // The context may allow fewer.
  int max_choices = 8;
  int max_stops = 16;
  int max_stop_tokens = 64;
  std::size_t max_stop_bytes = 256;
  int max_logprobs = kMaxTopLogprobs;
  int max_continuations = 64;
  std::size_t max_request_id_bytes = 128;
  int max_chat_messages = 256;
  int vocab_size = std::numeric_limits<int>::max();  // Of the model.
};

}  // namespace apollo
