#include "router/validation.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>

#include "common/status_macros.h"
#include "link/sampling_codec.h"
#include "router/field_error.h"
#include "sequence/routing.h"

namespace apollo {
namespace {

absl::Status CheckRange(const char* field, double value, double low,
                        double high) {
  // Written so that NaN fails.
  if (value >= low && value <= high) return absl::OkStatus();
  return FieldError(field, absl::StrCat("is ", value, "; it must be from ", low,
                                        " to ", high));
}

absl::Status CheckCount(const char* field, std::uint64_t value,
                        std::uint64_t high) {
  if (value <= high) return absl::OkStatus();
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
                      "may hold letters, digits and \"-_.:\" only");
  }
  return absl::OkStatus();
}

absl::Status CheckTextSize(const char* field, std::size_t size,
                           const RequestLimits& limits) {
  if (size <= limits.max_text_bytes) return absl::OkStatus();
  return FieldError(field, absl::StrCat("has ", size, " bytes; at most ",
                                        limits.max_text_bytes, " are allowed"));
}

absl::StatusOr<std::vector<ChatTurn>> CheckChat(const v1::Chat& chat,
                                                const RequestLimits& limits) {
  if (chat.messages().empty()) {
    return FieldError("chat.messages",
                      "is empty; a chat needs a user's message");
  }
  RETURN_IF_ERROR(CheckCount("chat.messages", chat.messages_size(),
                             limits.max_chat_messages));
  std::vector<ChatTurn> turns;
  std::size_t bytes = 0;
  for (int i = 0; i < chat.messages_size(); ++i) {
    const v1::ChatMessage& message = chat.messages(i);
    const std::string path = absl::StrCat("chat.messages[", i, "].");
    ChatTurn turn;
    switch (message.role()) {
      case v1::ROLE_SYSTEM:
        turn.role = ChatRole::kSystem;
        break;
      case v1::ROLE_USER:
        turn.role = ChatRole::kUser;
        break;
      case v1::ROLE_ASSISTANT:
        turn.role = ChatRole::kAssistant;
        break;
      default:
        return FieldError(path + "role",
                          absl::StrCat("is ", static_cast<int>(message.role()),
                                       "; it must be ROLE_SYSTEM, ROLE_USER or "
                                       "ROLE_ASSISTANT"));
    }
    // An answer may have been empty; nobody asks with an empty message.
    if (message.content().empty() && turn.role != ChatRole::kAssistant) {
      return FieldError(path + "content", "is empty");
    }
    turn.content = message.content();
    bytes += turn.content.size();
    turns.push_back(std::move(turn));
  }
  if (turns.back().role != ChatRole::kUser) {
    return FieldError("chat.messages", "must end with a message of the user");
  }
  RETURN_IF_ERROR(CheckTextSize("chat.messages", bytes, limits));
  return turns;
}

// The fields that GenerateRequest and ScoreRequest share by name.
template <typename Request>
absl::StatusOr<PromptInput> CheckInput(const Request& request,
                                       const RequestLimits& limits,
                                       const FamilyTable& families,
                                       bool default_hybrid) {
  PromptInput input;
  RETURN_IF_ERROR(CheckRequestId(request.request_id(), limits));
  input.request_id = request.request_id();
  if (request.has_chat()) {
    input.is_chat = true;
    ASSIGN_OR_RETURN(input.chat, CheckChat(request.chat(), limits));
  } else if (request.has_prompt()) {
    if (request.prompt().empty()) return FieldError("prompt", "is empty");
    RETURN_IF_ERROR(CheckTextSize("prompt", request.prompt().size(), limits));
    input.prompt = request.prompt();
  } else {
    return FieldError("prompt", "is missing; give a prompt or a chat");
  }
  input.parse_special_tokens = request.parse_special_tokens();
  RETURN_IF_ERROR(
      CheckRange("priority", request.priority(), -kMaxPriority, kMaxPriority));
  input.priority = request.priority();
  if (!request.language().empty() && !families.ExpertOf(request.language())) {
    return FieldError("language",
                      "is not a code of the families table; see GetModel");
  }
  input.language = request.language();
  switch (request.routing()) {
    case v1::ROUTING_MODE_UNSPECIFIED:
      input.hybrid = default_hybrid;
      break;
    case v1::ROUTING_MODE_TOPK:
      break;
    case v1::ROUTING_MODE_HYBRID:
      input.hybrid = true;
      break;
    default:
      return FieldError("routing",
                        absl::StrCat("is ", static_cast<int>(request.routing()),
                                     "; it must be ROUTING_MODE_TOPK or "
                                     "ROUTING_MODE_HYBRID"));
  }
  return input;
}

}  // namespace

absl::StatusOr<GenerateInput> ValidateGenerate(
    const v1::GenerateRequest& request, const RequestLimits& limits,
    const FamilyTable& families, bool default_hybrid) {
  GenerateInput out;
  ASSIGN_OR_RETURN(out.input,
                   CheckInput(request, limits, families, default_hybrid));
  const v1::SamplingParams& s = request.sampling();
  if (const auto wrong = FromProto(s, out.sampling)) {
    return FieldError("sampling." + wrong->name, wrong->reason);
  }
  RETURN_IF_ERROR(
      CheckCount("sampling.choices", s.choices(), limits.max_choices));
  out.has_seed = s.has_seed();
  out.choices = s.choices() == 0 ? 1 : static_cast<int>(s.choices());

  RETURN_IF_ERROR(CheckCount("max_new_tokens", request.max_new_tokens(),
                             limits.max_new_tokens));
  out.max_new_tokens = static_cast<int>(request.max_new_tokens());
  RETURN_IF_ERROR(CheckCount("stop", request.stop_size(), limits.max_stops));
  for (int i = 0; i < request.stop_size(); ++i) {
    const std::string& stop = request.stop(i);
    if (stop.empty() || stop.size() > limits.max_stop_bytes) {
      return FieldError(
          absl::StrCat("stop[", i, "]"),
          absl::StrCat("has ", stop.size(), " bytes; it must have from 1 to ",
                       limits.max_stop_bytes));
    }
    out.stops.push_back(stop);
  }
  RETURN_IF_ERROR(
      CheckCount("logprobs", request.logprobs(), limits.max_logprobs));
  out.wants_logprobs = request.has_logprobs();
  out.top_logprobs = static_cast<int>(request.logprobs());
  out.ignore_eos = request.ignore_eos();
  return out;
}

absl::StatusOr<ScoreInput> ValidateScore(const v1::ScoreRequest& request,
                                         const RequestLimits& limits,
                                         const FamilyTable& families,
                                         bool default_hybrid) {
  ScoreInput out;
  ASSIGN_OR_RETURN(out.input,
                   CheckInput(request, limits, families, default_hybrid));
  if (request.continuations().empty()) {
    return FieldError("continuations", "is empty; give at least one");
  }
  RETURN_IF_ERROR(CheckCount("continuations", request.continuations_size(),
                             limits.max_continuations));
  std::size_t bytes = 0;
  for (int i = 0; i < request.continuations_size(); ++i) {
    if (request.continuations(i).empty()) {
      return FieldError(absl::StrCat("continuations[", i, "]"), "is empty");
    }
    bytes += request.continuations(i).size();
    out.continuations.push_back(request.continuations(i));
  }
  RETURN_IF_ERROR(CheckTextSize("continuations", bytes, limits));
  return out;
}

absl::Status ValidateText(const std::string& text,
                          const RequestLimits& limits) {
  if (text.empty()) return FieldError("text", "is empty");
  return CheckTextSize("text", text.size(), limits);
}

absl::StatusOr<absl::Duration> ValidateRoutingWindow(std::int64_t seconds) {
  const std::int64_t longest = absl::ToInt64Seconds(kMaxRoutingWindow);
  if (seconds < 0 || seconds > longest) {
    return FieldError("window_seconds",
                      absl::StrCat("is ", seconds,
                                   "; it must be from 0, which "
                                   "means since the start, to ",
                                   longest));
  }
  return absl::Seconds(seconds);
}

}  // namespace apollo
