#include "router/session/score_session.h"

#include <absl/strings/str_cat.h>

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "router/model/language_choice.h"
#include "router/model/prompt_tokens.h"
#include "router/request/field_error.h"

namespace apollo {
namespace {

// Returns the tokens of a continuation of a prompt of `prompt_tokens` tokens.
absl::StatusOr<std::vector<std::int32_t>> EncodeContinuation(
    const RouterModel& model, const ScoreInput& input, std::size_t index,
    std::size_t prompt_tokens) {
  ASSIGN_OR_RETURN(
      const std::vector<std::int32_t> ids,
      model.tokenizer->Encode(input.continuations[index], SpecialText::kPlain));
  const std::string field = absl::StrCat("continuations[", index, "]");
  if (ids.empty()) return FieldError(field, "has no tokens");
  if (prompt_tokens + ids.size() >
      static_cast<std::size_t>(model.config.max_context)) {
    return FieldError(
        field, absl::StrCat("has ", ids.size(), " tokens; with the prompt's ",
                            prompt_tokens, " it must fit into the context of ",
                            model.config.max_context));
  }
  return ids;
}

}  // namespace

ScoreSession::ScoreSession(const SessionContext& context,
                           std::unique_ptr<CallPass> pass, ScoreWriter& writer)
    : Session(context, "Score", std::move(pass), writer), out_(writer) {}

std::shared_ptr<ScoreSession> ScoreSession::Make(const SessionContext& context,
                                                 std::unique_ptr<CallPass> pass,
                                                 ScoreWriter& writer) {
  return std::shared_ptr<ScoreSession>(
      new ScoreSession(context, std::move(pass), writer));
}

void ScoreSession::Start(absl::FunctionRef<absl::StatusOr<ScoreInput>()> read) {
  Begin([&]() -> absl::Status {
    ASSIGN_OR_RETURN(const ScoreInput input, read());
    return Accept(input);
  });
}

absl::Status ScoreSession::Accept(const ScoreInput& input) {
  const RouterModel& model = context_.model;
  ASSIGN_OR_RETURN(const std::vector<std::int32_t> prompt,
                   EncodePrompt(model, input.input));
  const LanguageChoice language = ChooseLanguage(model, input.input);
  GenerationRequest run;
  run.request_id =
      input.input.request_id.empty() ? request_id() : input.input.request_id;
  run.family = language.expert;
  run.hybrid = language.hybrid;
  run.language = language.counted_language;
  run.priority = input.input.priority;
  RETURN_IF_ERROR(SetCaller(PromptField(input.input), prompt.size(), run));
  std::vector<GenerationRequest> runs;
  std::vector<ScoredContinuation> scores;
  FieldErrors errors;
  std::size_t sent = prompt.size();
  for (std::size_t i = 0; i < input.continuations.size(); ++i) {
    absl::StatusOr<std::vector<std::int32_t>> ids =
        EncodeContinuation(model, input, i, prompt.size());
    if (!ids.ok()) {
      RETURN_IF_ERROR(errors.Take(ids.status()));
      continue;
    }
    run.prompt = prompt;
    run.prompt.insert(run.prompt.end(), ids->begin(), ids->end());
    run.score_tokens = static_cast<int>(ids->size());
    sent += ids->size();
    runs.push_back(run);
    scores.emplace_back().tokens = *std::move(ids);
  }
  RETURN_IF_ERROR(errors.status());
  RETURN_IF_ERROR(CheckTokens("continuations", sent));
  {
    MutexLock lock(mutex_);
    started_ = MakeStarted(model, run.request_id, language, prompt.size(),
                           /*seed=*/0);
    is_chat_ = input.input.is_chat;
    result_.scores = std::move(scores);
    std::int64_t tokens = 0;
    for (const GenerationRequest& one : runs) {
      tokens += static_cast<std::int64_t>(one.prompt.size());
    }
    RETURN_IF_ERROR(pass_->Reserve(tokens, 0, run.language));
    CountWhenAccepted(language, static_cast<int>(tokens));
  }
  RunSequences(std::move(runs));
  return absl::OkStatus();
}

void ScoreSession::OnStarted(int /*index*/, const GenerationStarted& started) {
  started_.dense_worker = started.dense_worker;
  started_.expert_worker = started.expert_worker;
  metrics_.Started(Now());
}

void ScoreSession::OnToken(int /*index*/, const GeneratedToken& /*token*/) {}

absl::Status ScoreSession::OnFinished(int index,
                                      const GenerationFinished& finished) {
  ScoredContinuation& score = result_.scores[index];
  if (finished.score_logprobs.size() != score.tokens.size()) {
    return absl::InternalError(absl::StrCat(
        "the dense worker sent ", finished.score_logprobs.size(),
        " scores for ", score.tokens.size(), " tokens of a continuation"));
  }
  for (const float logprob : finished.score_logprobs) score.logprob += logprob;
  score.token_logprobs = finished.score_logprobs;
  return absl::OkStatus();
}

void ScoreSession::OnAllFinished() {
  result_.started = started_;
  for (std::size_t i = 1; i < result_.scores.size(); ++i) {
    if (result_.scores[i].logprob > result_.scores[result_.best].logprob) {
      result_.best = static_cast<int>(i);
    }
  }
  out_.Scored(result_);
}

}  // namespace apollo
