#include "router/grpc/read_request.h"

#include <absl/strings/str_cat.h>

#include <string>
#include <vector>

#include "common/status_macros.h"
#include "link/sampling_codec.h"
#include "model/language/language_names.h"
#include "router/request/field_error.h"
#include "router/request/request_checks.h"

namespace apollo {
namespace {

std::vector<ChatTurn> ReadChat(const v1::Chat& chat, FieldErrors& errors) {
  std::vector<ChatTurn> turns;
  for (const v1::ChatMessage& message : chat.messages()) {
    ChatTurn& turn = turns.emplace_back();
    turn.content = message.content();
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
        errors.Add(absl::StrCat("chat.messages[", turns.size() - 1, "].role"),
                   absl::StrCat("is ", static_cast<int>(message.role()),
                                "; it must be ROLE_SYSTEM, ROLE_USER or "
                                "ROLE_ASSISTANT"));
    }
  }
  return turns;
}

// Returns the code of a language of the table. Other text stays as it is, and
// is refused by the checks.
std::string ReadLanguage(const std::string& given,
                         const FamilyTable& families) {
  if (given.empty()) return given;
  return FindLanguage(given, families).value_or(given);
}

// Reads the fields that GenerateRequest and ScoreRequest share by name.
template <typename Request>
PromptInput ReadInput(const Request& request, bool default_hybrid,
                      FieldErrors& errors) {
  PromptInput input;
  input.request_id = request.request_id();
  if (request.has_chat()) {
    input.is_chat = true;
    input.chat = ReadChat(request.chat(), errors);
  } else if (request.has_tokenized()) {
    input.is_tokens = true;
    input.tokens.assign(request.tokenized().input_ids().begin(),
                        request.tokenized().input_ids().end());
  } else if (request.has_prompt()) {
    input.prompt = request.prompt();
  } else {
    errors.Add("prompt", "is missing; give a prompt, a chat or token ids");
  }
  input.parse_special_tokens = request.parse_special_tokens();
  input.priority = request.priority();
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
      errors.Add("routing",
                 absl::StrCat("is ", static_cast<int>(request.routing()),
                              "; it must be ROUTING_MODE_TOPK or "
                              "ROUTING_MODE_HYBRID"));
  }
  return input;
}

ResumeInput ReadResume(const v1::Resume& resume, const FamilyTable& families) {
  ResumeInput out;
  for (const v1::ResumedChoice& choice : resume.choices()) {
    ResumedAnswer& answer = out.choices.emplace_back();
    answer.tokens.assign(choice.token_ids().begin(), choice.token_ids().end());
    answer.finished = choice.finished();
    if (choice.has_text_bytes()) answer.text_bytes = choice.text_bytes();
  }
  out.seed = resume.seed();
  out.language = ReadLanguage(resume.language(), families);
  out.family = resume.family();
  out.numerics = resume.numerics();
  return out;
}

}  // namespace

absl::StatusOr<GenerateInput> ReadGenerate(const v1::GenerateRequest& request,
                                           const RequestLimits& limits,
                                           const FamilyTable& families,
                                           bool default_hybrid) {
  GenerateInput out;
  FieldErrors errors;
  out.input = ReadInput(request, default_hybrid, errors);
  const v1::SamplingParams& s = request.sampling();
  for (const WrongField& wrong : FromProto(s, out.sampling)) {
    errors.Add("sampling." + wrong.name, wrong.reason);
  }
  out.has_seed = s.has_seed();
  out.choices = s.choices() == 0 ? 1 : s.choices();
  out.max_new_tokens = request.max_new_tokens();
  out.stops.assign(request.stop().begin(), request.stop().end());
  out.wants_logprobs = request.has_logprobs();
  out.top_logprobs = request.logprobs();
  out.ignore_eos = request.ignore_eos();
  out.stop_tokens.assign(request.stop_token_ids().begin(),
                         request.stop_token_ids().end());
  out.wants_prompt_logprobs = request.has_prompt_logprobs();
  out.prompt_logprobs = request.prompt_logprobs();
  out.input.language = ReadLanguage(request.language(), families);
  if (request.has_resume()) out.resume = ReadResume(request.resume(), families);
  CheckGenerate(out, limits, families, errors);
  RETURN_IF_ERROR(errors.status());
  return out;
}

absl::StatusOr<ScoreInput> ReadScore(const v1::ScoreRequest& request,
                                     const RequestLimits& limits,
                                     const FamilyTable& families,
                                     bool default_hybrid) {
  ScoreInput out;
  FieldErrors errors;
  out.input = ReadInput(request, default_hybrid, errors);
  out.continuations.assign(request.continuations().begin(),
                           request.continuations().end());
  out.input.language = ReadLanguage(request.language(), families);
  CheckScore(out, limits, families, errors);
  RETURN_IF_ERROR(errors.status());
  return out;
}

}  // namespace apollo
