#include "link/generation_codec.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <climits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "link/sampling_codec.h"

namespace apollo {
namespace {

namespace pb = internal::v1;

absl::Status Wrong(const std::string& field, const std::string& reason) {
  return absl::InvalidArgumentError(absl::StrCat(field, " ", reason));
}

absl::Status CheckRange(const char* field, std::int64_t value, std::int64_t low,
                        std::int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Wrong(field, absl::StrCat("is ", value, "; it must be from ", low,
                                   " to ", high));
}

// An int that is unsigned on the wire.
absl::Status Read(const char* field, std::uint32_t value, int& out) {
  RETURN_IF_ERROR(CheckRange(field, value, 0, INT_MAX));
  out = static_cast<int>(value);
  return absl::OkStatus();
}

void Write(const LayerUse& use, pb::ExpertUse* out) {
  out->set_layer(use.layer);
  out->mutable_tokens_by_expert()->Add(use.tokens_by_expert.begin(),
                                       use.tokens_by_expert.end());
  out->set_off_family_tokens(use.off_family_tokens);
}

absl::Status ReadAll(
    const char* field,
    const google::protobuf::RepeatedPtrField<pb::ExpertUse>& messages,
    std::vector<LayerUse>& out) {
  for (const pb::ExpertUse& message : messages) {
    if (message.layer() > INT_MAX) {
      return Wrong(absl::StrCat(field, "[", out.size(), "].layer"),
                   absl::StrCat("is ", message.layer(),
                                "; it must be from 0 to ", INT_MAX));
    }
    LayerUse& use = out.emplace_back();
    use.layer = static_cast<int>(message.layer());
    use.tokens_by_expert.assign(message.tokens_by_expert().begin(),
                                message.tokens_by_expert().end());
    use.off_family_tokens = message.off_family_tokens();
  }
  return absl::OkStatus();
}

SequenceNumerics Decode(const pb::Numerics& message) {
  return {message.dense(), message.expert()};
}

void Write(const SequenceNumerics& numerics, pb::Numerics* out) {
  out->set_dense(numerics.dense);
  out->set_expert(numerics.expert);
}

absl::StatusOr<GenerationEvent> Decode(const pb::RunStarted& message) {
  GenerationStarted started;
  started.dense_worker = message.dense_worker();
  started.expert_worker = message.expert_worker();
  RETURN_IF_ERROR(Read("started.cached_tokens", message.cached_tokens(),
                       started.cached_tokens));
  if (message.has_numerics()) started.numerics = Decode(message.numerics());
  return started;
}

std::vector<TokenLogprob> ReadAll(
    const google::protobuf::RepeatedPtrField<pb::Alternative>& messages) {
  std::vector<TokenLogprob> out;
  out.reserve(messages.size());
  for (const pb::Alternative& message : messages) {
    out.push_back({message.token(), message.logprob()});
  }
  return out;
}

void Write(const std::vector<TokenLogprob>& alternatives,
           google::protobuf::RepeatedPtrField<pb::Alternative>* out) {
  for (const TokenLogprob& alternative : alternatives) {
    pb::Alternative& to = *out->Add();
    to.set_token(alternative.token);
    to.set_logprob(alternative.logprob);
  }
}

absl::StatusOr<GenerationEvent> Decode(const pb::RunPrompt& message) {
  PromptLogprobs prompt;
  RETURN_IF_ERROR(Read("prompt.index", message.index(), prompt.index));
  for (const pb::RunPrompt::Token& token : message.tokens()) {
    prompt.tokens.push_back(
        {token.token(), token.logprob(), ReadAll(token.alternatives())});
  }
  return prompt;
}

absl::StatusOr<GenerationEvent> Decode(const pb::RunToken& message) {
  GeneratedToken token;
  RETURN_IF_ERROR(Read("token.index", message.index(), token.index));
  token.token = message.token();
  token.logprob = message.logprob();
  token.alternatives = ReadAll(message.alternatives());
  RETURN_IF_ERROR(
      ReadAll("token.expert_use", message.expert_use(), token.expert_use));
  return token;
}

pb::RunFinished::Reason ReasonOf(FinishCause cause) {
  switch (cause) {
    case FinishCause::kEos:
      return pb::RunFinished::EOS;
    case FinishCause::kLength:
      return pb::RunFinished::LENGTH;
    case FinishCause::kScored:
      return pb::RunFinished::SCORED;
  }
  return pb::RunFinished::REASON_UNSPECIFIED;
}

std::optional<FinishCause> CauseOf(int reason) {
  for (const FinishCause cause :
       {FinishCause::kEos, FinishCause::kLength, FinishCause::kScored}) {
    if (ReasonOf(cause) == reason) return cause;
  }
  return std::nullopt;
}

absl::StatusOr<GenerationEvent> Decode(const pb::RunFinished& message) {
  GenerationFinished finished;
  const std::optional<FinishCause> cause = CauseOf(message.reason());
  if (!cause) {
    return Wrong("finished.reason",
                 absl::StrCat("is ", static_cast<int>(message.reason()),
                              "; it must be EOS, LENGTH or SCORED"));
  }
  finished.cause = *cause;
  RETURN_IF_ERROR(ReadAll("finished.expert_use", message.expert_use(),
                          finished.expert_use));
  finished.score_logprobs.assign(message.score_logprobs().begin(),
                                 message.score_logprobs().end());
  return finished;
}

}  // namespace

pb::RunRequest ToProto(const GenerationRequest& request) {
  pb::RunRequest out;
  out.set_request_id(request.request_id);
  out.mutable_prompt()->Add(request.prompt.begin(), request.prompt.end());
  out.set_answer_tokens(request.answer_tokens);
  out.set_family(request.family);
  out.set_hybrid(request.hybrid);
  *out.mutable_sampling() = ToProto(request.sampling);
  out.set_max_new_tokens(request.max_new_tokens);
  out.set_shorten_to_cache(request.shorten_to_cache);
  out.set_top_logprobs(request.top_logprobs);
  out.mutable_end_tokens()->Add(request.end_tokens.begin(),
                                request.end_tokens.end());
  out.set_ignore_eos(request.ignore_eos);
  out.set_score_tokens(request.score_tokens);
  if (request.prompt_logprobs) {
    out.set_prompt_logprobs(*request.prompt_logprobs);
  }
  out.set_language(request.language);
  out.set_use_with_tokens(request.use_with_tokens);
  out.set_priority(request.priority);
  out.set_cache_salt(request.cache_salt);
  out.set_caller(request.caller);
  if (request.numerics) Write(*request.numerics, out.mutable_numerics());
  return out;
}

absl::StatusOr<GenerationRequest> FromProto(const pb::RunRequest& message) {
  if (message.has_control()) {
    return Wrong("control", "is set; it must not be in a call's request");
  }
  GenerationRequest out;
  out.request_id = message.request_id();
  out.prompt.assign(message.prompt().begin(), message.prompt().end());
  RETURN_IF_ERROR(
      Read("answer_tokens", message.answer_tokens(), out.answer_tokens));
  RETURN_IF_ERROR(CheckRange("family", message.family(), -1, INT_MAX));
  out.family = message.family();
  out.hybrid = message.hybrid();
  if (const auto wrong = FromProto(message.sampling(), out.sampling);
      !wrong.empty()) {
    return Wrong("sampling." + wrong[0].name, wrong[0].reason);
  }
  RETURN_IF_ERROR(
      Read("max_new_tokens", message.max_new_tokens(), out.max_new_tokens));
  out.shorten_to_cache = message.shorten_to_cache();
  RETURN_IF_ERROR(
      CheckRange("top_logprobs", message.top_logprobs(), 0, kMaxTopLogprobs));
  out.top_logprobs = static_cast<int>(message.top_logprobs());
  if (message.end_tokens_size() > kMaxEndTokens) {
    return Wrong("end_tokens",
                 absl::StrCat("has ", message.end_tokens_size(),
                              " tokens; it must have at most ", kMaxEndTokens));
  }
  out.end_tokens.assign(message.end_tokens().begin(),
                        message.end_tokens().end());
  out.ignore_eos = message.ignore_eos();
  RETURN_IF_ERROR(
      Read("score_tokens", message.score_tokens(), out.score_tokens));
  if (message.has_prompt_logprobs()) {
    RETURN_IF_ERROR(CheckRange("prompt_logprobs", message.prompt_logprobs(), 0,
                               kMaxTopLogprobs));
    out.prompt_logprobs = static_cast<int>(message.prompt_logprobs());
  }
  out.language = message.language();
  out.use_with_tokens = message.use_with_tokens();
  RETURN_IF_ERROR(
      CheckRange("priority", message.priority(), -kMaxPriority, kMaxPriority));
  out.priority = message.priority();
  out.cache_salt = message.cache_salt();
  out.caller = message.caller();
  if (message.has_numerics()) out.numerics = Decode(message.numerics());
  return out;
}

pb::RunEvent ToProto(const GenerationStarted& started) {
  pb::RunEvent event;
  pb::RunStarted& out = *event.mutable_started();
  out.set_dense_worker(started.dense_worker);
  out.set_expert_worker(started.expert_worker);
  out.set_cached_tokens(started.cached_tokens);
  if (started.numerics) Write(*started.numerics, out.mutable_numerics());
  return event;
}

pb::RunEvent ToProto(const PromptLogprobs& prompt) {
  pb::RunEvent event;
  pb::RunPrompt& out = *event.mutable_prompt();
  out.set_index(prompt.index);
  for (const PromptLogprobs::Token& token : prompt.tokens) {
    pb::RunPrompt::Token& to = *out.add_tokens();
    to.set_token(token.token);
    to.set_logprob(token.logprob);
    Write(token.alternatives, to.mutable_alternatives());
  }
  return event;
}

pb::RunEvent ToProto(const GeneratedToken& token) {
  pb::RunEvent event;
  pb::RunToken& out = *event.mutable_token();
  out.set_index(token.index);
  out.set_token(token.token);
  out.set_logprob(token.logprob);
  Write(token.alternatives, out.mutable_alternatives());
  for (const LayerUse& use : token.expert_use) Write(use, out.add_expert_use());
  return event;
}

pb::RunEvent ToProto(const GenerationFinished& finished) {
  pb::RunEvent event;
  pb::RunFinished& out = *event.mutable_finished();
  out.set_reason(ReasonOf(finished.cause));
  for (const LayerUse& use : finished.expert_use) {
    Write(use, out.add_expert_use());
  }
  out.mutable_score_logprobs()->Add(finished.score_logprobs.begin(),
                                    finished.score_logprobs.end());
  return event;
}

absl::StatusOr<GenerationEvent> FromProto(const pb::RunEvent& message) {
  switch (message.event_case()) {
    case pb::RunEvent::kStarted:
      return Decode(message.started());
    case pb::RunEvent::kPrompt:
      return Decode(message.prompt());
    case pb::RunEvent::kToken:
      return Decode(message.token());
    case pb::RunEvent::kFinished:
      return Decode(message.finished());
    case pb::RunEvent::EVENT_NOT_SET:
      break;
  }
  return Wrong("event",
               "is missing; it must be started, prompt, token or finished");
}

pb::RoutingResponse ToProto(const RoutingCounts& counts) {
  pb::RoutingResponse out;
  out.set_covered_seconds(absl::ToDoubleSeconds(counts.covered));
  for (const LanguageUse& language : counts.languages) {
    pb::LanguageUse& to = *out.add_languages();
    to.set_language(language.language);
    to.set_tokens(language.tokens);
    to.set_family_tokens(language.family_tokens);
    for (const LayerUse& layer : language.layers) Write(layer, to.add_layers());
  }
  return out;
}

absl::StatusOr<RoutingCounts> FromProto(const pb::RoutingResponse& message) {
  RoutingCounts out;
  // Written so that NaN fails.
  if (!(message.covered_seconds() >= 0)) {
    return Wrong("covered_seconds",
                 absl::StrCat("is ", message.covered_seconds(),
                              "; it must be at least 0"));
  }
  out.covered = absl::Seconds(message.covered_seconds());
  for (const pb::LanguageUse& from : message.languages()) {
    LanguageUse& language = out.languages.emplace_back();
    language.language = from.language();
    language.tokens = from.tokens();
    language.family_tokens = from.family_tokens();
    RETURN_IF_ERROR(
        ReadAll("languages.layers", from.layers(), language.layers));
  }
  return out;
}

}  // namespace apollo
