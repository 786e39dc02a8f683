#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/language/families.h"
#include "model/prompt/prompt.h"
#include "proto/apollo/v1/inference.pb.h"
#include "router/limits.h"
#include "sequence/generation.h"

namespace apollo {

// What Generate and Score have in common, checked.
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
  int choices = 1;
  int max_new_tokens = 0;  // 0: as many as allowed.
  std::vector<std::string> stops;
  bool wants_logprobs = false;
  int top_logprobs = 0;
  bool ignore_eos = false;
};

struct ScoreInput {
  PromptInput input;
  std::vector<std::string> continuations;
};

// Checks everything that can be told without tokens. Not OK: a FieldError.
// `default_hybrid` is what ROUTING_MODE_UNSPECIFIED means.
absl::StatusOr<GenerateInput> ValidateGenerate(
    const v1::GenerateRequest& request, const RequestLimits& limits,
    const FamilyTable& families, bool default_hybrid);

absl::StatusOr<ScoreInput> ValidateScore(const v1::ScoreRequest& request,
                                         const RequestLimits& limits,
                                         const FamilyTable& families,
                                         bool default_hybrid);

// For Tokenize and DetectLanguage.
absl::Status ValidateText(const std::string& text, const RequestLimits& limits);

// For GetRouting: 0 to kMaxRoutingWindow.
absl::StatusOr<absl::Duration> ValidateRoutingWindow(std::int64_t seconds);

}  // namespace apollo
