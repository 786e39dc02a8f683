#include "router/session/generate_session.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "common/status_macros.h"
#include "router/model/language_choice.h"
#include "router/model/prompt_tokens.h"
#include "router/request/field_error.h"
#include "router/session/choice_seed.h"
#include "router/session/new_ids.h"
#include "sequence/numerics_text.h"
#include "sequence/prompt_hashes.h"
#include "sequence/shared_numerics.h"

namespace apollo {
namespace {

FinishedReason ReasonOf(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::kEos:
      return FinishedReason::kEos;
    case AnswerEnd::kStop:
      return FinishedReason::kStop;
    case AnswerEnd::kLength:
      break;
  }
  return FinishedReason::kLength;
}

const char* NameOf(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::kEos:
      return "eos";
    case AnswerEnd::kStop:
      return "stop";
    case AnswerEnd::kLength:
      return "length";
  }
  return "";
}

}  // namespace

GenerateSession::GenerateSession(const SessionContext& context,
                                 std::unique_ptr<CallPass> pass,
                                 GenerateWriter& writer, const char* method)
    : Session(context, method, std::move(pass), writer), out_(writer) {}

std::shared_ptr<GenerateSession> GenerateSession::Make(
    const SessionContext& context, std::unique_ptr<CallPass> pass,
    GenerateWriter& writer, const char* method) {
  return std::shared_ptr<GenerateSession>(
      new GenerateSession(context, std::move(pass), writer, method));
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
  run.priority = input.input.priority;
  RETURN_IF_ERROR(SetCaller(PromptField(input.input), run.prompt.size(), run));
  ASSIGN_OR_RETURN(
      run.max_new_tokens,
      AllowedNewTokens(model, static_cast<int>(input.max_new_tokens),
                       run.prompt.size()));
  run.shorten_to_cache = input.max_new_tokens == 0;
  const LanguageChoice language =
      input.resume ? ResumedLanguage(model, input.input, input.resume->language,
                                     static_cast<int>(input.resume->family))
                   : ChooseLanguage(model, input.input);
  run.family = language.expert;
  run.hybrid = language.hybrid;
  run.language = language.counted_language;
  run.sampling = input.sampling;
  if (input.resume) {
    run.sampling.seed = input.resume->seed;
    run.numerics = ReadNumerics(input.resume->numerics);
  } else if (!input.has_seed) {
    run.sampling.seed = NewSeed();
  }
  // `started` names only one.
  if (input.choices > 1)
    run.shared_numerics = std::make_shared<SharedNumerics>();
  run.prompt_hashes = std::make_shared<PromptHashes>();
  run.top_logprobs = static_cast<int>(input.top_logprobs);
  run.ignore_eos = input.ignore_eos;
  run.end_tokens = model.ends.tokens;
  std::vector<std::string> turns;
  if (input.input.is_chat && !input.ignore_eos) turns = model.ends.chat_stops;
  // If a stop string or token ends the answer, the backend sends no summary.
  run.use_with_tokens =
      !input.stops.empty() || !input.stop_tokens.empty() || !turns.empty();
  std::vector<GenerationRequest> runs;
  {
    MutexLock lock(mutex_);
    started_ = MakeStarted(model, run.request_id, language, run.prompt.size(),
                           run.sampling.seed);
    is_chat_ = input.input.is_chat;
    with_logprobs_ = input.wants_logprobs;
    tokens_.stops = {input.stop_tokens.begin(), input.stop_tokens.end()};
    if (!input.ignore_eos) {
      tokens_.ends = {run.end_tokens.begin(), run.end_tokens.end()};
    }
    tokens_.most = run.max_new_tokens;
    for (int i = 0; i < static_cast<int>(input.choices); ++i) {
      choices_.emplace_back(AnswerText(*model.tokenizer, input.stops, turns));
    }
    if (input.resume) RETURN_IF_ERROR(TakeResume(*input.resume));
    runs = MakeRuns(std::move(run), input);
    RETURN_IF_ERROR(Reserve(runs));
    CountWhenAccepted(language, started_.prompt_tokens);
  }
  RunSequences(std::move(runs));
  return absl::OkStatus();
}

absl::Status GenerateSession::Reserve(
    const std::vector<GenerationRequest>& runs) {
  if (runs.empty()) return absl::OkStatus();
  std::int64_t prompt = started_.prompt_tokens, answers = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    // What a client has received is computed again, as a part of the prompt;
    // its last token comes again, and is not new.
    const std::size_t received = choices_[run_choices_[i]].received.size();
    prompt += static_cast<std::int64_t>(received);
    answers += runs[i].max_new_tokens - (received > 0 ? 1 : 0);
  }
  return pass_->Reserve(prompt, answers, runs.front().language);
}

absl::Status GenerateSession::TakeResume(const ResumeInput& resume) {
  FieldErrors errors;
  for (std::size_t i = 0; i < resume.choices.size(); ++i) {
    Choice& choice = choices_[i];
    const ResumedAnswer& received = resume.choices[i];
    absl::StatusOr<ResumedState> state =
        ResumeAnswer(received, static_cast<int>(i), tokens_, choice.text);
    if (!state.ok()) {
      RETURN_IF_ERROR(errors.Take(state.status()));
      continue;
    }
    choice.closed = received.finished;
    choice.received = received.tokens;
    choice.generated = static_cast<int>(received.tokens.size());
    choice.resumed = *std::move(state);
  }
  RETURN_IF_ERROR(errors.status());
  resumed_ = true;
  metrics_.Resumed();
  return absl::OkStatus();
}

std::vector<GenerationRequest> GenerateSession::MakeRuns(
    GenerationRequest run, const GenerateInput& input) {
  std::vector<GenerationRequest> runs;
  for (int i = 0; i < static_cast<int>(choices_.size()); ++i) {
    const Choice& choice = choices_[i];
    if (choice.closed || choice.resumed.end) continue;
    run_choices_.push_back(i);
    GenerationRequest& one = runs.emplace_back(run);
    one.sampling.seed = ChoiceSeed(run.sampling.seed, i);
    // The last token is generated again, to see that the answer goes on where
    // it ended, and to let it end if only its end is missing.
    if (!choice.received.empty()) {
      one.answer_tokens = choice.generated - 1;
      one.max_new_tokens -= one.answer_tokens;
      one.prompt.insert(one.prompt.end(), choice.received.begin(),
                        choice.received.end() - 1);
    } else if (i == 0 && input.wants_prompt_logprobs) {
      // The prompts of all choices are the same.
      one.prompt_logprobs = static_cast<int>(input.prompt_logprobs);
      prompt_unscored_ = started_.prompt_tokens - 1;
    }
  }
  return runs;
}

void GenerateSession::WriteStarted(const GenerationStarted& started) {
  if (wrote_started_) return;
  wrote_started_ = true;
  taken_ = Now();
  metrics_.Started(taken_);
  started_.cached_tokens = started.cached_tokens;
  started_.dense_worker = started.dense_worker;
  started_.expert_worker = started.expert_worker;
  if (started.numerics) started_.numerics = NumericsText(*started.numerics);
  out_.Started(started_);
  // What the client had received may complete answers.
  for (int i = 0; i < static_cast<int>(choices_.size()); ++i) {
    const Choice& choice = choices_[i];
    if (choice.closed || !choice.resumed.end) continue;
    WriteText(i, choice.resumed.rest);
    WriteFinished(i, *choice.resumed.end, choice.resumed.matched_token, {});
  }
}

void GenerateSession::OnStarted(int index, const GenerationStarted& started) {
  choices_[run_choices_[index]].cached_tokens = started.cached_tokens;
  WriteStarted(started);
}

bool GenerateSession::IsReceived(int choice, const GeneratedToken& token) {
  Choice& answer = choices_[choice];
  const auto received = static_cast<int>(answer.received.size());
  if (answer.confirmed || token.index >= received) return false;
  answer.confirmed = token.token == answer.received[token.index];
  return answer.confirmed;
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
  const int number = run_choices_[index];
  if (IsReceived(number, token)) return;
  Choice& choice = choices_[number];
  if (!choice.confirmed && !choice.received.empty()) {
    Fail(DoesNotContinue(number));
    return;
  }
  if (tokens_.ends.contains(token.token)) {
    // Only a dense worker of an older release sends it.
    WriteText(number, choice.text.Finish());
    WriteFinished(number, EndOfAnswer(choice.text), std::nullopt, choice.use);
    Stop(index);
    return;
  }
  const absl::Duration now = Now();
  CountToken(now);
  pass_->UseToken();
  if (!first_token_) first_token_ = now;
  ++choice.generated;
  choice.use = token.expert_use;
  AnswerDelta delta;
  delta.choice = number;
  delta.index = token.index;
  const bool stops = tokens_.stops.contains(token.token);
  delta.text = Unsent(
      number, stops ? choice.text.Finish() : choice.text.Append(token.token));
  delta.with_logprobs = with_logprobs_;
  delta.tokens.push_back(
      Describe(token.token, token.logprob, token.alternatives));
  out_.Delta(delta);
  if (stops || choice.text.stopped()) {
    WriteFinished(
        number,
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
  const int number = run_choices_[index];
  if (number == 0 && prompt_unscored_ != 0) {
    return absl::InternalError(
        "the dense worker did not send the log-probabilities of the prompt");
  }
  Choice& choice = choices_[number];
  if (!choice.confirmed && !choice.received.empty()) {
    return DoesNotContinue(number);
  }
  WriteText(number, choice.text.Finish());
  WriteFinished(number,
                finished.cause == FinishCause::kEos || choice.text.stopped()
                    ? EndOfAnswer(choice.text)
                    : AnswerEnd::kLength,
                std::nullopt, finished.expert_use);
  return absl::OkStatus();
}

absl::Status GenerateSession::DoesNotContinue(int choice) {
  return FieldError(
      absl::StrCat("resume.choices[", choice, "].token_ids"),
      "is not what this cluster generates for the request; send it without "
      "resume");
}

void GenerateSession::OnAllFinished() {
  // All choices were complete from the beginning.
  if (run_choices_.empty()) WriteStarted({});
}

void GenerateSession::DescribeAnswers(AuditEntry& entry) const {
  entry.resumed = resumed_;
  for (const Choice& choice : choices_) {
    entry.answer_tokens += choice.generated;
    if (choice.end) entry.finish_reasons.push_back(NameOf(*choice.end));
  }
}

std::string GenerateSession::Unsent(int choice, std::string text) {
  std::size_t& skip = choices_[choice].resumed.skip;
  const std::size_t sent = std::min(skip, text.size());
  skip -= sent;
  return text.substr(sent);
}

void GenerateSession::WriteText(int choice, const std::string& text) {
  AnswerDelta delta;
  delta.choice = choice;
  delta.index = choices_[choice].generated;
  delta.text = Unsent(choice, text);
  if (!delta.text.empty()) out_.Delta(delta);
}

void GenerateSession::WriteFinished(int number, AnswerEnd reason,
                                    std::optional<std::int32_t> matched_token,
                                    const std::vector<LayerUse>& use) {
  Choice& choice = choices_[number];
  choice.end = reason;
  AnswerFinished out;
  out.choice = number;
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
  metrics_.Completed(ReasonOf(reason));
  out_.Finished(out);
}

}  // namespace apollo
