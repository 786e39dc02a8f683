#include "router/session/generate_session.h"

#include <utility>

#include "common/status_macros.h"
#include "router/model/language_choice.h"
#include "router/model/prompt_tokens.h"
#include "router/session/choice_seed.h"
#include "router/session/new_ids.h"

namespace apollo {
namespace {

// Returns why an answer ended that the model or a stop string has ended. The
// rest of its text may have completed a stop string.
AnswerEnd EndOfAnswer(const AnswerText& text) {
  return text.stopped() && !text.turn_ended() ? AnswerEnd::kStop
                                              : AnswerEnd::kEos;
}

}  // namespace

GenerateSession::GenerateSession(const SessionContext& context,
                                 std::string tenant, GenerateWriter& writer,
                                 const char* method)
    : Session(context, method, std::move(tenant), writer), out_(writer) {}

std::shared_ptr<GenerateSession> GenerateSession::Make(
    const SessionContext& context, std::string tenant, GenerateWriter& writer,
    const char* method) {
  return std::shared_ptr<GenerateSession>(
      new GenerateSession(context, std::move(tenant), writer, method));
}

void GenerateSession::Start(
    absl::FunctionRef<absl::StatusOr<GenerateInput>()> read) {
  Begin([&]() -> absl::Status {
    ASSIGN_OR_RETURN(GenerateInput input, read());
    return Accept(std::move(input));
  });
}

absl::Status GenerateSession::Accept(GenerateInput input) {
  const RouterModel& model = context_.model;
  GenerationRequest run;
  run.request_id =
      input.input.request_id.empty() ? request_id() : input.input.request_id;
  ASSIGN_OR_RETURN(run.prompt, EncodePrompt(model, input.input));
  ASSIGN_OR_RETURN(
      run.max_new_tokens,
      AllowedNewTokens(model, static_cast<int>(input.max_new_tokens),
                       run.prompt.size()));
  run.shorten_to_cache = input.max_new_tokens == 0;
  const LanguageChoice language = ChooseLanguage(model, input.input);
  run.family = language.expert;
  run.hybrid = language.hybrid;
  run.language = language.counted_language;
  run.priority = input.input.priority;
  run.cache_salt = tenant_;
  run.sampling = input.sampling;
  if (!input.has_seed) run.sampling.seed = NewSeed();
  run.top_logprobs = static_cast<int>(input.top_logprobs);
  run.ignore_eos = input.ignore_eos;
  run.end_tokens = model.ends.tokens;
  std::vector<std::string> turns;
  if (input.input.is_chat && !input.ignore_eos) turns = model.ends.chat_stops;
  // If a stop string or token ends the answer, the backend sends no summary.
  run.use_with_tokens =
      !input.stops.empty() || !input.stop_tokens.empty() || !turns.empty();
  const int choices = static_cast<int>(input.choices);
  {
    MutexLock lock(mutex_);
    started_ = MakeStarted(model, run.request_id, language, run.prompt.size(),
                           run.sampling.seed);
    with_logprobs_ = input.wants_logprobs;
    stop_tokens_ = {input.stop_tokens.begin(), input.stop_tokens.end()};
    if (!input.ignore_eos) {
      end_tokens_ = {run.end_tokens.begin(), run.end_tokens.end()};
    }
    if (input.wants_prompt_logprobs) {
      prompt_unscored_ = started_.prompt_tokens - 1;
    }
    metrics_.PromptTokens(static_cast<int>(run.prompt.size()));
    for (int i = 0; i < choices; ++i) {
      choices_.emplace_back(AnswerText(*model.tokenizer, input.stops, turns));
    }
  }
  std::vector<GenerationRequest> runs(choices, run);
  for (int i = 0; i < choices; ++i) {
    runs[i].sampling.seed = ChoiceSeed(run.sampling.seed, i);
  }
  if (input.wants_prompt_logprobs) {
    // The prompts of all choices are the same.
    runs[0].prompt_logprobs = static_cast<int>(input.prompt_logprobs);
  }
  RunSequences(std::move(runs));
  return absl::OkStatus();
}

void GenerateSession::OnStarted(int index, const GenerationStarted& started) {
  choices_[index].cached_tokens = started.cached_tokens;
  if (wrote_started_) return;
  wrote_started_ = true;
  taken_ = Now();
  started_.cached_tokens = started.cached_tokens;
  started_.dense_worker = started.dense_worker;
  started_.expert_worker = started.expert_worker;
  out_.Started(started_);
}

void GenerateSession::OnPrompt(int /*index*/, const PromptLogprobs& prompt) {
  AnswerPrompt out;
  out.index = prompt.index;
  for (const PromptLogprobs::Token& token : prompt.tokens) {
    out.tokens.push_back(
        Describe(token.token, token.logprob, token.alternatives));
  }
  prompt_unscored_ -= static_cast<int>(prompt.tokens.size());
  const std::size_t before = out_.unsent();
  out_.Prompt(out);
  const std::size_t after = out_.unsent();
  LimitOutput(after > before ? after - before : 0);
}

void GenerateSession::OnToken(int index, const GeneratedToken& token) {
  if (end_tokens_.contains(token.token)) {
    // Only a dense worker of an older release sends it.
    FinishText(index);
    WriteFinished(index, EndOfAnswer(choices_[index].text), std::nullopt,
                  choices_[index].use);
    Stop(index);
    return;
  }
  const absl::Duration now = Now();
  metrics_.Token(now);
  if (!first_token_) first_token_ = now;
  Choice& choice = choices_[index];
  ++choice.generated;
  choice.use = token.expert_use;
  AnswerDelta delta;
  delta.choice = index;
  delta.index = token.index;
  const bool stops = stop_tokens_.contains(token.token);
  delta.text = stops ? choice.text.Finish() : choice.text.Append(token.token);
  delta.with_logprobs = with_logprobs_;
  delta.tokens.push_back(
      Describe(token.token, token.logprob, token.alternatives));
  out_.Delta(delta);
  if (stops || choice.text.stopped()) {
    WriteFinished(
        index,
        choice.text.stopped() ? EndOfAnswer(choice.text) : AnswerEnd::kStop,
        token.token, choice.use);
    Stop(index);
  }
  LimitOutput();
}

AnswerToken GenerateSession::Describe(
    std::int32_t token, float logprob,
    const std::vector<TokenLogprob>& alternatives) const {
  AnswerToken out{token, logprob, {}};
  for (const TokenLogprob& alternative : alternatives) {
    out.alternatives.push_back(
        {alternative.token,
         context_.model.tokenizer->TokenBytes(alternative.token),
         alternative.logprob});
  }
  return out;
}

absl::Status GenerateSession::OnFinished(int index,
                                         const GenerationFinished& finished) {
  if (index == 0 && prompt_unscored_ != 0) {
    return absl::InternalError(
        "the dense worker did not send the log-probabilities of the prompt");
  }
  FinishText(index);
  const AnswerText& text = choices_[index].text;
  WriteFinished(index,
                finished.cause == FinishCause::kEos || text.stopped()
                    ? EndOfAnswer(text)
                    : AnswerEnd::kLength,
                std::nullopt, finished.expert_use);
  return absl::OkStatus();
}

void GenerateSession::FinishText(int index) {
  Choice& choice = choices_[index];
  const std::string rest = choice.text.Finish();
  if (rest.empty()) return;
  AnswerDelta delta;
  delta.choice = index;
  delta.index = choice.generated;
  delta.text = rest;
  out_.Delta(delta);
}

void GenerateSession::WriteFinished(int index, AnswerEnd reason,
                                    std::optional<std::int32_t> matched_token,
                                    const std::vector<LayerUse>& use) {
  const Choice& choice = choices_[index];
  AnswerFinished out;
  out.choice = index;
  out.reason = reason;
  if (!choice.text.stopped()) {
    out.matched_token = matched_token;
  } else if (!choice.text.turn_ended()) {
    out.matched_stop = choice.text.matched_stop();
  }
  out.prompt_tokens = started_.prompt_tokens;
  out.cached_tokens = choice.cached_tokens;
  out.generated_tokens = choice.generated;
  out.queue = taken_ - arrived_;
  if (first_token_) out.first_token = *first_token_ - arrived_;
  out.total = Now() - arrived_;
  out.expert_use = use;
  out_.Finished(out);
}

}  // namespace apollo
