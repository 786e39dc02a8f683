#include "router/score_call.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "router/cancel_reason.h"
#include "router/field_error.h"
#include "router/wire_request.h"

namespace apollo {

class ScoreCall::Sink final : public GenerationSink {
 public:
  Sink(std::shared_ptr<ScoreCall> call, int index)
      : call_(std::move(call)), index_(index) {}
  void OnStarted(const GenerationStarted& started) override {
    call_->OnStarted(started);
  }
  void OnToken(const GeneratedToken& /*token*/) override {}
  void OnFinished(absl::StatusOr<GenerationFinished> finished) override {
    call_->OnFinished(index_, std::move(finished));
  }

 private:
  const std::shared_ptr<ScoreCall> call_;
  const int index_;
};

ScoreCall::ScoreCall(const RouterContext& context,
                     const grpc::ServerContextBase& server_context,
                     std::string tenant, grpc::ByteBuffer* response)
    : context_(context),
      tenant_(std::move(tenant)),
      arrived_(context.clock.Now()),
      arrived_at_(std::chrono::system_clock::now()),
      deadline_(server_context.deadline()),
      buffer_(response),
      metrics_(context.metrics, "Score", arrived_) {}

ScoreCall* ScoreCall::Start(const RouterContext& context,
                            const grpc::ServerContextBase& server_context,
                            std::string tenant, const grpc::ByteBuffer& request,
                            grpc::ByteBuffer* response) {
  std::shared_ptr<ScoreCall> call(
      new ScoreCall(context, server_context, std::move(tenant), response));
  {
    MutexLock lock(call->mutex_);
    call->self_ = call;
  }
  if (const absl::Status status = call->Begin(request); !status.ok()) {
    MutexLock lock(call->mutex_);
    call->Fail(status);
  }
  return call.get();
}

absl::Status ScoreCall::Begin(const grpc::ByteBuffer& buffer) {
  v1::ScoreRequest request;
  RETURN_IF_ERROR(ParseRequest(buffer, request));
  const RouterModel& model = context_.model;
  ASSIGN_OR_RETURN(ScoreInput input,
                   ValidateScore(request, model.limits, model.families,
                                 model.default_hybrid));
  if (input.input.request_id.empty()) input.input.request_id = NewRequestId();
  ASSIGN_OR_RETURN(const std::vector<std::int32_t> prompt,
                   EncodePrompt(model, input.input));
  const LanguageChoice language = ChooseLanguage(model, input.input);
  std::vector<GenerationRequest> runs;
  for (std::size_t i = 0; i < input.continuations.size(); ++i) {
    ASSIGN_OR_RETURN(
        const std::vector<std::int32_t> ids,
        model.tokenizer->Encode(input.continuations[i], SpecialText::kPlain));
    const std::string field = absl::StrCat("continuations[", i, "]");
    if (ids.empty()) return FieldError(field, "has no tokens");
    if (prompt.size() + ids.size() >
        static_cast<std::size_t>(model.config.max_context)) {
      return FieldError(
          field,
          absl::StrCat("has ", ids.size(), " tokens, which do not fit ",
                       "behind the prompt's ", prompt.size(),
                       " into the context of ", model.config.max_context));
    }
    GenerationRequest& run = runs.emplace_back();
    run.request_id = input.input.request_id;
    run.prompt = prompt;
    run.prompt.insert(run.prompt.end(), ids.begin(), ids.end());
    run.family = language.family;
    run.hybrid = language.hybrid;
    run.language = language.counted_language;
    run.priority = input.input.priority;
    run.cache_salt = tenant_;
    run.score_tokens = static_cast<int>(ids.size());
  }
  {
    MutexLock lock(mutex_);
    *response_.mutable_started() = MakeStarted(
        model, input.input.request_id, language, prompt.size(), /*seed=*/0);
    for (const GenerationRequest& run : runs) {
      metrics_.PromptTokens(static_cast<int>(run.prompt.size()));
      v1::ContinuationScore* score = response_.add_scores();
      score->mutable_token_ids()->Add(run.prompt.begin() + prompt.size(),
                                      run.prompt.end());
    }
    open_ = static_cast<int>(runs.size());
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    std::shared_ptr<GenerationCall> call = context_.backend.Start(
        std::move(runs[i]),
        std::make_shared<Sink>(shared_from_this(), static_cast<int>(i)));
    bool ended = false;
    {
      MutexLock lock(mutex_);
      ended = ended_;
      if (call != nullptr) calls_.push_back(call);
    }
    if (ended) {
      if (call != nullptr) call->Cancel();
      break;
    }
  }
  return absl::OkStatus();
}

void ScoreCall::OnCancel() {
  std::vector<std::shared_ptr<GenerationCall>> calls;
  {
    MutexLock lock(mutex_);
    calls = calls_;
    Fail(
        CancelReason(arrived_at_, deadline_, std::chrono::system_clock::now()));
  }
  for (const auto& call : calls) call->Cancel();
}

void ScoreCall::OnDone() {
  // Both are destroyed after `lock`: see the order. The backend's calls may
  // hold their sinks, and those hold this.
  std::shared_ptr<ScoreCall> self;
  std::vector<std::shared_ptr<GenerationCall>> calls;
  MutexLock lock(mutex_);
  self = std::move(self_);
  calls.swap(calls_);
}

void ScoreCall::OnStarted(const GenerationStarted& started) {
  MutexLock lock(mutex_);
  v1::ServingWorkers* workers = response_.mutable_started()->mutable_workers();
  workers->set_dense_worker(started.dense_worker);
  workers->set_expert_worker(started.expert_worker);
}

void ScoreCall::OnFinished(int index,
                           absl::StatusOr<GenerationFinished> finished) {
  // Taken before Fail: once that has finished the call, OnDone may let them go.
  std::vector<std::shared_ptr<GenerationCall>> to_cancel;
  {
    MutexLock lock(mutex_);
    if (ended_) return;
    v1::ContinuationScore* score = response_.mutable_scores(index);
    if (finished.ok() && static_cast<int>(finished->score_logprobs.size()) !=
                             score->token_ids_size()) {
      finished = absl::InternalError("scores of the continuation are missing");
    }
    if (!finished.ok()) {
      to_cancel = calls_;
      Fail(finished.status());
    } else {
      double sum = 0;
      for (const float logprob : finished->score_logprobs) {
        sum += logprob;
        score->add_token_logprobs(logprob);
      }
      score->set_logprob(sum);
      if (--open_ == 0) Succeed();
    }
  }
  for (const auto& call : to_cancel) call->Cancel();
}

void ScoreCall::Fail(const absl::Status& status) {
  if (ended_) return;
  ended_ = true;
  metrics_.End(absl::StatusCodeToString(status.code()), context_.clock.Now());
  if (status.code() != absl::StatusCode::kCancelled &&
      status.code() != absl::StatusCode::kInvalidArgument) {
    context_.failures->Report("Score", response_.started().request_id(),
                              status);
  }
  Finish(ToGrpcStatus(status));
}

void ScoreCall::Succeed() {
  ended_ = true;
  int best = 0;
  for (int i = 1; i < response_.scores_size(); ++i) {
    if (response_.scores(i).logprob() > response_.scores(best).logprob())
      best = i;
  }
  response_.set_best(best);
  *buffer_ = SerializeResponse(response_);
  const absl::Duration now = context_.clock.Now();
  metrics_.End("OK", now);
  LogInfo("request_done", {{"request_id", response_.started().request_id()},
                           {"method", "Score"},
                           {"language", response_.started().language()},
                           {"family", response_.started().family()},
                           {"continuations", response_.scores_size()},
                           {"seconds", absl::ToDoubleSeconds(now - arrived_)}});
  Finish(grpc::Status::OK);
}

}  // namespace apollo
