#include "router/request/request_checks.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include <algorithm>

#include "model/language/language_names.h"
#include "router/request/field_error.h"
#include "router/request/resume_checks.h"
#include "router/request/token_checks.h"
#include "sequence/routing.h"
#include "sequence/sampling.h"

namespace apollo {
namespace {

void CheckRange(const char* field, double value, double low, double high,
                FieldErrors& errors) {
  // Written so that NaN fails.
  if (value >= low && value <= high) return;
  errors.Add(field, absl::StrCat("is ", value, "; it must be from ", low,
                                 " to ", high));
}

void CheckCount(const char* field, std::int64_t value, std::int64_t high,
                FieldErrors& errors) {
  if (value >= 0 && value <= high) return;
  errors.Add(field, absl::StrCat("is ", value, "; it must be at most ", high));
}

void CheckRequestId(const std::string& id, const RequestLimits& limits,
                    FieldErrors& errors) {
  if (id.size() > limits.max_request_id_bytes) {
    errors.Add("request_id",
               absl::StrCat("has ", id.size(), " bytes; at most ",
                            limits.max_request_id_bytes, " are allowed"));
  }
  const bool plain = std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.' ||
           c == ':';
  });
  if (!plain) {
    errors.Add("request_id",
               "has other characters than letters, digits and \"-_.:\"");
  }
}

void CheckTextSize(const char* field, std::size_t size,
                   const RequestLimits& limits, FieldErrors& errors) {
  if (size <= limits.max_text_bytes) return;
  errors.Add(field, absl::StrCat("has ", size, " bytes; at most ",
                                 limits.max_text_bytes, " are allowed"));
}

void CheckChat(const std::vector<ChatTurn>& chat, const RequestLimits& limits,
               FieldErrors& errors) {
  if (chat.empty()) {
    errors.Add("chat.messages", "is empty; a chat needs a message of the user");
    return;
  }
  CheckCount("chat.messages", static_cast<std::int64_t>(chat.size()),
             limits.max_chat_messages, errors);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < chat.size(); ++i) {
    // An earlier answer may be empty, but a question may not.
    if (chat[i].content.empty() && chat[i].role != ChatRole::kAssistant) {
      errors.Add(absl::StrCat("chat.messages[", i, "].content"), "is empty");
    }
    bytes += chat[i].content.size();
  }
  if (chat.back().role != ChatRole::kUser) {
    errors.Add("chat.messages", "must end with a message of the user");
  }
  CheckTextSize("chat.messages", bytes, limits, errors);
}

void CheckInput(const PromptInput& input, const RequestLimits& limits,
                const FamilyTable& families, FieldErrors& errors) {
  CheckRequestId(input.request_id, limits, errors);
  if (input.is_chat) {
    CheckChat(input.chat, limits, errors);
  } else if (input.is_tokens) {
    if (input.tokens.empty()) errors.Add("tokenized.input_ids", "is empty");
    CheckTokens("tokenized.input_ids", input.tokens, limits, errors);
  } else {
    if (input.prompt.empty()) errors.Add("prompt", "is empty");
    CheckTextSize("prompt", input.prompt.size(), limits, errors);
  }
  CheckRange("priority", input.priority, -kMaxPriority, kMaxPriority, errors);
  if (!input.language.empty() && !families.ExpertOf(input.language)) {
    errors.Add("language", DescribeUnknownLanguage(input.language, families));
  }
}

void CheckSamplingFields(const GenerateInput& input,
                         const RequestLimits& limits, FieldErrors& errors) {
  for (const WrongField& wrong : CheckSampling(input.sampling)) {
    errors.Add("sampling." + wrong.name, wrong.reason);
  }
  if (!BiasFits(input.sampling.logit_bias, limits.vocab_size)) {
    errors.Add("sampling.logit_bias",
               absl::StrCat("has a token outside the vocabulary; it must be "
                            "from 0 to ",
                            limits.vocab_size - 1));
  }
  if (input.choices < 1) {
    errors.Add("sampling.choices",
               absl::StrCat("is ", input.choices, "; it must be at least 1"));
  }
  CheckCount("sampling.choices", input.choices, limits.max_choices, errors);
}

}  // namespace

void CheckGenerate(const GenerateInput& input, const RequestLimits& limits,
                   const FamilyTable& families, FieldErrors& errors) {
  CheckInput(input.input, limits, families, errors);
  CheckSamplingFields(input, limits, errors);
  CheckCount("max_new_tokens", input.max_new_tokens, limits.max_new_tokens,
             errors);
  CheckCount("stop", static_cast<std::int64_t>(input.stops.size()),
             limits.max_stops, errors);
  for (std::size_t i = 0; i < input.stops.size(); ++i) {
    const std::size_t bytes = input.stops[i].size();
    if (bytes == 0 || bytes > limits.max_stop_bytes) {
      errors.Add(absl::StrCat("stop[", i, "]"),
                 absl::StrCat("has ", bytes, " bytes; it must have from 1 to ",
                              limits.max_stop_bytes));
    }
  }
  CheckCount("logprobs", input.top_logprobs, limits.max_logprobs, errors);
  CheckCount("stop_token_ids",
             static_cast<std::int64_t>(input.stop_tokens.size()),
             limits.max_stop_tokens, errors);
  CheckTokens("stop_token_ids", input.stop_tokens, limits, errors);
  CheckCount("prompt_logprobs", input.prompt_logprobs, limits.max_logprobs,
             errors);
  if (input.resume) CheckResume(input, limits, families, errors);
}

void CheckScore(const ScoreInput& input, const RequestLimits& limits,
                const FamilyTable& families, FieldErrors& errors) {
  CheckInput(input.input, limits, families, errors);
  if (input.continuations.empty()) {
    errors.Add("continuations", "is empty; give at least one");
  }
  CheckCount("continuations",
             static_cast<std::int64_t>(input.continuations.size()),
             limits.max_continuations, errors);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < input.continuations.size(); ++i) {
    if (input.continuations[i].empty()) {
      errors.Add(absl::StrCat("continuations[", i, "]"), "is empty");
    }
    bytes += input.continuations[i].size();
  }
  CheckTextSize("continuations", bytes, limits, errors);
}

absl::Status CheckText(const std::string& text, const RequestLimits& limits) {
  FieldErrors errors;
  if (text.empty()) errors.Add("text", "is empty");
  CheckTextSize("text", text.size(), limits, errors);
  return errors.status();
}

absl::StatusOr<absl::Duration> CheckRoutingWindow(std::int64_t seconds) {
  const std::int64_t longest = absl::ToInt64Seconds(kMaxRoutingWindow);
  if (seconds < 0 || seconds > longest) {
    return FieldError(
        "window_seconds",
        absl::StrCat("is ", seconds,
                     "; it must be from 0 (since the start) to ", longest));
  }
  return absl::Seconds(seconds);
}

}  // namespace apollo
