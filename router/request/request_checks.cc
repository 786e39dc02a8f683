#include "router/request/request_checks.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include <algorithm>

#include "common/status_macros.h"
#include "model/language/language_names.h"
#include "router/request/field_error.h"
#include "sequence/routing.h"
#include "sequence/sampling.h"

namespace apollo {
namespace {

absl::Status CheckRange(const char* field, double value, double low,
                        double high) {
  // Written so that NaN fails.
  if (value >= low && value <= high) return absl::OkStatus();
  return FieldError(field, absl::StrCat("is ", value, "; it must be from ", low,
                                        " to ", high));
}

absl::Status CheckCount(const char* field, std::int64_t value,
                        std::int64_t high) {
  if (value >= 0 && value <= high) return absl::OkStatus();
  return FieldError(field,
                    absl::StrCat("is ", value, "; it must be at most ", high));
}

absl::Status CheckRequestId(const std::string& id,
                            const RequestLimits& limits) {
  if (id.size() > limits.max_request_id_bytes) {
    return FieldError(
        "request_id",
        absl::StrCat("has ", id.size(), " bytes; at most ",
                     limits.max_request_id_bytes, " are allowed"));
  }
  const bool plain = std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.' ||
           c == ':';
  });
  if (!plain) {
    return FieldError("request_id",
                      "has other characters than letters, digits and \"-_.:\"");
  }
  return absl::OkStatus();
}

absl::Status CheckTextSize(const char* field, std::size_t size,
                           const RequestLimits& limits) {
  if (size <= limits.max_text_bytes) return absl::OkStatus();
  return FieldError(field, absl::StrCat("has ", size, " bytes; at most ",
                                        limits.max_text_bytes, " are allowed"));
}

absl::Status CheckChat(const std::vector<ChatTurn>& chat,
                       const RequestLimits& limits) {
  if (chat.empty()) {
    return FieldError("chat.messages",
                      "is empty; a chat needs a message of the user");
  }
  RETURN_IF_ERROR(CheckCount("chat.messages",
                             static_cast<std::int64_t>(chat.size()),
                             limits.max_chat_messages));
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < chat.size(); ++i) {
    // An earlier answer may be empty, but a question may not.
    if (chat[i].content.empty() && chat[i].role != ChatRole::kAssistant) {
      return FieldError(absl::StrCat("chat.messages[", i, "].content"),
                        "is empty");
    }
    bytes += chat[i].content.size();
  }
  if (chat.back().role != ChatRole::kUser) {
    return FieldError("chat.messages", "must end with a message of the user");
  }
  return CheckTextSize("chat.messages", bytes, limits);
}

absl::Status CheckInput(const PromptInput& input, const RequestLimits& limits,
                        const FamilyTable& families) {
  RETURN_IF_ERROR(CheckRequestId(input.request_id, limits));
  if (input.is_chat) {
    RETURN_IF_ERROR(CheckChat(input.chat, limits));
  } else {
    if (input.prompt.empty()) return FieldError("prompt", "is empty");
    RETURN_IF_ERROR(CheckTextSize("prompt", input.prompt.size(), limits));
  }
  RETURN_IF_ERROR(
      CheckRange("priority", input.priority, -kMaxPriority, kMaxPriority));
  if (!input.language.empty() && !families.ExpertOf(input.language)) {
    return FieldError("language",
                      DescribeUnknownLanguage(input.language, families));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckGenerate(const GenerateInput& input,
                           const RequestLimits& limits,
                           const FamilyTable& families) {
  RETURN_IF_ERROR(CheckInput(input.input, limits, families));
  if (const auto wrong = CheckSampling(input.sampling)) {
    return FieldError("sampling." + wrong->name, wrong->reason);
  }
  if (input.choices < 1) {
    return FieldError("sampling.choices", absl::StrCat("is ", input.choices,
                                                       "; it must be at least "
                                                       "1"));
  }
  RETURN_IF_ERROR(
      CheckCount("sampling.choices", input.choices, limits.max_choices));
  RETURN_IF_ERROR(CheckCount("max_new_tokens", input.max_new_tokens,
                             limits.max_new_tokens));
  RETURN_IF_ERROR(CheckCount(
      "stop", static_cast<std::int64_t>(input.stops.size()), limits.max_stops));
  for (std::size_t i = 0; i < input.stops.size(); ++i) {
    const std::size_t bytes = input.stops[i].size();
    if (bytes == 0 || bytes > limits.max_stop_bytes) {
      return FieldError(
          absl::StrCat("stop[", i, "]"),
          absl::StrCat("has ", bytes, " bytes; it must have from 1 to ",
                       limits.max_stop_bytes));
    }
  }
  return CheckCount("logprobs", input.top_logprobs, limits.max_logprobs);
}

absl::Status CheckScore(const ScoreInput& input, const RequestLimits& limits,
                        const FamilyTable& families) {
  RETURN_IF_ERROR(CheckInput(input.input, limits, families));
  if (input.continuations.empty()) {
    return FieldError("continuations", "is empty; give at least one");
  }
  RETURN_IF_ERROR(CheckCount(
      "continuations", static_cast<std::int64_t>(input.continuations.size()),
      limits.max_continuations));
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < input.continuations.size(); ++i) {
    if (input.continuations[i].empty()) {
      return FieldError(absl::StrCat("continuations[", i, "]"), "is empty");
    }
    bytes += input.continuations[i].size();
  }
  return CheckTextSize("continuations", bytes, limits);
}

absl::Status CheckText(const std::string& text, const RequestLimits& limits) {
  if (text.empty()) return FieldError("text", "is empty");
  return CheckTextSize("text", text.size(), limits);
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
