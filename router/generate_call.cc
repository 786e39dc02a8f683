#include "router/generate_call.h"

#include <absl/cleanup/cleanup.h>

#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "router/cancel_reason.h"
#include "router/field_error.h"
#include "router/routing_call.h"
#include "router/session/choice_seed.h"
#include "router/wire_request.h"

namespace apollo {

// Passes one sequence's events to its call.
class GenerateCall::Sink final : public GenerationSink {
 public:
  Sink(std::shared_ptr<GenerateCall> call, int choice)
      : call_(std::move(call)), choice_(choice) {}
  void OnStarted(const GenerationStarted& started) override {
    call_->OnStarted(choice_, started);
  }
  void OnToken(const GeneratedToken& token) override {
    call_->OnToken(choice_, token);
  }
  void OnFinished(absl::StatusOr<GenerationFinished> finished) override {
    call_->OnFinished(choice_, std::move(finished));
  }

 private:
  const std::shared_ptr<GenerateCall> call_;
  const int choice_;
};

GenerateCall::GenerateCall(const RouterContext& context,
                           const grpc::ServerContextBase& server_context,
                           std::string tenant)
    : context_(context),
      tenant_(std::move(tenant)),
      arrived_(context.clock.Now()),
      arrived_at_(std::chrono::system_clock::now()),
      deadline_(server_context.deadline()),
      metrics_(context.metrics, "Generate", arrived_) {}

GenerateCall* GenerateCall::Start(const RouterContext& context,
                                  const grpc::ServerContextBase& server_context,
                                  std::string tenant,
                                  const grpc::ByteBuffer& request) {
  std::shared_ptr<GenerateCall> call(
      new GenerateCall(context, server_context, std::move(tenant)));
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

absl::Status GenerateCall::Begin(const grpc::ByteBuffer& buffer) {
  v1::GenerateRequest request;
  RETURN_IF_ERROR(ParseRequest(buffer, request));
  const RouterModel& model = context_.model;
  ASSIGN_OR_RETURN(input_,
                   ValidateGenerate(request, model.limits, model.families,
                                    model.default_hybrid));
  if (input_.input.request_id.empty()) input_.input.request_id = NewRequestId();
  if (!input_.has_seed) input_.sampling.seed = NewSeed();
  GenerationRequest run;
  ASSIGN_OR_RETURN(run.prompt, EncodePrompt(model, input_.input));
  ASSIGN_OR_RETURN(
      run.max_new_tokens,
      AllowedNewTokens(model, input_.max_new_tokens, run.prompt.size()));
  run.shorten_to_cache = input_.max_new_tokens == 0;
  const LanguageChoice language = ChooseLanguage(model, input_.input);
  run.request_id = input_.input.request_id;
  run.family = language.family;
  run.hybrid = language.hybrid;
  run.priority = input_.input.priority;
  run.cache_salt = tenant_;
  run.sampling = input_.sampling;
  run.top_logprobs = input_.top_logprobs;
  run.ignore_eos = input_.ignore_eos;
  run.language = language.counted_language;
  // Where a stop string ends the answer, no summary comes from the backend.
  run.use_with_tokens = !input_.stops.empty();
  started_ = MakeStarted(model, run.request_id, language, run.prompt.size(),
                         input_.sampling.seed);
  {
    MutexLock lock(mutex_);
    metrics_.PromptTokens(static_cast<int>(run.prompt.size()));
    for (int i = 0; i < input_.choices; ++i) {
      choices_.emplace_back(AnswerText(*model.tokenizer, input_.stops));
    }
  }
  for (int i = 0; i < input_.choices; ++i) {
    {
      // An earlier choice may have failed at once.
      MutexLock lock(mutex_);
      if (ended_) break;
    }
    GenerationRequest one = run;
    one.sampling.seed = ChoiceSeed(run.sampling.seed, i);
    std::shared_ptr<GenerationCall> call = context_.backend.Start(
        std::move(one), std::make_shared<Sink>(shared_from_this(), i));
    if (call == nullptr) continue;
    bool cancel = false;
    {
      MutexLock lock(mutex_);
      cancel = ended_ || choices_[i].finished;
      choices_[i].call = call;
    }
    if (cancel) call->Cancel();
  }
  return absl::OkStatus();
}

void GenerateCall::OnCancel() {
  std::vector<std::shared_ptr<GenerationCall>> calls;
  {
    MutexLock lock(mutex_);
    for (const Choice& choice : choices_) calls.push_back(choice.call);
    Fail(
        CancelReason(arrived_at_, deadline_, std::chrono::system_clock::now()));
  }
  for (const auto& call : calls) {
    if (call != nullptr) call->Cancel();
  }
}

void GenerateCall::Over() {
  // Both are destroyed after `lock`: see the order. The backend's calls may
  // hold their sinks, and those hold this.
  std::shared_ptr<GenerateCall> self;
  std::vector<std::shared_ptr<GenerationCall>> calls;
  MutexLock lock(mutex_);
  self = std::move(self_);
  for (Choice& choice : choices_) calls.push_back(std::move(choice.call));
}

void GenerateCall::Fail(const absl::Status& status) {
  if (ended_) return;
  ended_ = true;
  metrics_.End(absl::StatusCodeToString(status.code()), context_.clock.Now());
  if (status.code() != absl::StatusCode::kCancelled &&
      status.code() != absl::StatusCode::kInvalidArgument) {
    context_.failures->Report("Generate", started_.request_id(), status);
  }
  for (Choice& choice : choices_) choice.finished = true;
  End(ToGrpcStatus(status));
}

void GenerateCall::OnStarted(int index, const GenerationStarted& started) {
  MutexLock lock(mutex_);
  choices_[index].cached_tokens = started.cached_tokens;
  if (ended_ || wrote_started_) return;
  wrote_started_ = true;
  taken_ = context_.clock.Now();
  v1::GenerateResponse response;
  *response.mutable_started() = started_;
  response.mutable_started()->set_cached_tokens(started.cached_tokens);
  response.mutable_started()->mutable_workers()->set_dense_worker(
      started.dense_worker);
  response.mutable_started()->mutable_workers()->set_expert_worker(
      started.expert_worker);
  Push(SerializeResponse(response));
}

void GenerateCall::WriteTokenLogprobs(const GeneratedToken& token,
                                      v1::GenerateDelta& delta) {
  v1::TokenLogprobs* out = delta.add_logprobs();
  out->set_logprob(token.logprob);
  for (const TokenLogprob& alternative : token.alternatives) {
    v1::TokenAlternative* to = out->add_alternatives();
    to->set_token_id(alternative.token);
    to->set_token(
        std::string(context_.model.tokenizer->TokenBytes(alternative.token)));
    to->set_logprob(alternative.logprob);
  }
}

void GenerateCall::OnToken(int index, const GeneratedToken& token) {
  std::shared_ptr<GenerationCall> to_cancel;
  {
    MutexLock lock(mutex_);
    Choice& choice = choices_[index];
    if (ended_ || choice.finished) return;
    metrics_.Token(context_.clock.Now());
    if (first_token_ == absl::ZeroDuration()) {
      first_token_ = context_.clock.Now();
    }
    ++choice.generated;
    choice.use = token.expert_use;
    v1::GenerateResponse response;
    v1::GenerateDelta& delta = *response.mutable_delta();
    delta.set_choice(index);
    delta.set_index(token.index);
    delta.add_token_ids(token.token);
    delta.set_text(choice.text.Append(token.token));
    if (input_.wants_logprobs) WriteTokenLogprobs(token, delta);
    Push(SerializeResponse(response));
    if (choice.text.stopped()) {
      WriteFinished(index, v1::FINISH_REASON_STOP, choice.use);
      to_cancel = choice.call;
    }
  }
  if (to_cancel != nullptr) to_cancel->Cancel();
}

void GenerateCall::OnFinished(int index,
                              absl::StatusOr<GenerationFinished> finished) {
  // Cancelled after `lock` is released: a backend may answer Cancel at once.
  std::vector<std::shared_ptr<GenerationCall>> others;
  const absl::Cleanup cancel_others = [&others] {
    for (const auto& other : others) other->Cancel();
  };
  MutexLock lock(mutex_);
  Choice& choice = choices_[index];
  if (ended_ || choice.finished) return;
  if (!finished.ok()) {
    // The other choices are of no use without this one.
    choice.finished = true;
    for (const Choice& other : choices_) {
      if (!other.finished && other.call != nullptr)
        others.push_back(other.call);
    }
    Fail(finished.status());
    return;
  }
  const std::string rest = choice.text.Finish();
  if (!rest.empty()) {
    v1::GenerateResponse response;
    response.mutable_delta()->set_choice(index);
    response.mutable_delta()->set_index(choice.generated);
    response.mutable_delta()->set_text(rest);
    Push(SerializeResponse(response));
  }
  // The held-back end of the text may complete a stop string only here.
  WriteFinished(index,
                choice.text.stopped() ? v1::FINISH_REASON_STOP
                : finished->cause == FinishCause::kEos
                    ? v1::FINISH_REASON_EOS
                    : v1::FINISH_REASON_LENGTH,
                finished->expert_use);
}

void GenerateCall::WriteFinished(int index, v1::FinishReason reason,
                                 const std::vector<LayerUse>& use) {
  Choice& choice = choices_[index];
  choice.finished = true;
  const absl::Duration now = context_.clock.Now();
  v1::GenerateResponse response;
  v1::GenerateFinished& out = *response.mutable_finished();
  out.set_choice(index);
  out.set_reason(reason);
  out.mutable_usage()->set_prompt_tokens(started_.prompt_tokens());
  out.mutable_usage()->set_cached_tokens(choice.cached_tokens);
  out.mutable_usage()->set_generated_tokens(choice.generated);
  out.mutable_timings()->set_queue_seconds(
      absl::ToDoubleSeconds(taken_ - arrived_));
  if (first_token_ != absl::ZeroDuration()) {
    out.mutable_timings()->set_first_token_seconds(
        absl::ToDoubleSeconds(first_token_ - arrived_));
  }
  out.mutable_timings()->set_total_seconds(
      absl::ToDoubleSeconds(now - arrived_));
  for (const LayerUse& layer : use) ToProto(layer, out.add_expert_use());
  Push(SerializeResponse(response));
  for (const Choice& other : choices_) {
    if (!other.finished) return;
  }
  ended_ = true;
  metrics_.End("OK", now);
  LogInfo("request_done",
          {{"request_id", started_.request_id()},
           {"method", "Generate"},
           {"language", started_.language()},
           {"family", started_.family()},
           {"prompt_tokens", static_cast<int>(started_.prompt_tokens())},
           {"seconds", absl::ToDoubleSeconds(now - arrived_)}});
  End(grpc::Status::OK);
}

}  // namespace apollo
