#include "dense_worker/run_call.h"

#include <absl/status/statusor.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "common/log.h"
#include "link/deadline.h"
#include "link/generation_codec.h"
#include "link/run_end.h"
#include "link/status_codec.h"
#include "link/trace_metadata.h"
#include "sequence/sequence_end.h"

namespace apollo {

namespace pb = internal::v1;

// Writes the events of one sequence to its call, of which it shares ownership.
class RunCall::Sink final : public GenerationSink {
 public:
  explicit Sink(std::shared_ptr<RunCall> call) : call_(std::move(call)) {}

  void OnStarted(const GenerationStarted& started) override {
    {
      MutexLock lock(call_->mutex_);
      call_->expert_worker_ = started.expert_worker;
      const absl::Duration now = call_->clock_.Now();
      call_->metrics_.Started(now);
      if (call_->trace_ != nullptr) call_->trace_->Started(started, now);
    }
    call_->Send(ToProto(started));
  }

  void OnPrompt(const PromptLogprobs& prompt) override {
    call_->Send(ToProto(prompt));
  }

  void OnToken(const GeneratedToken& token) override {
    {
      MutexLock lock(call_->mutex_);
      const absl::Duration now = call_->clock_.Now();
      call_->metrics_.Token(now);
      if (call_->trace_ != nullptr) call_->trace_->Token(now);
      ++call_->tokens_;
    }
    call_->Send(ToProto(token));
  }

  void OnMoved(const SequenceMove& move) override {
    MutexLock lock(call_->mutex_);
    if (call_->trace_ != nullptr) call_->trace_->Moved(move);
  }

  void OnFinished(absl::StatusOr<GenerationFinished> finished) override {
    if (finished.ok()) call_->CountAnswer(finished->cause);
    call_->Count(finished.status());
    if (finished.ok()) call_->Push(ToProto(*finished));
    call_->EndWith(finished.status());
  }

 private:
  const std::shared_ptr<RunCall> call_;
};

RunCall::RunCall(grpc::CallbackServerContext& context,
                 GenerationBackend& backend, RequestMetrics& metrics,
                 const Clock& clock, const RunLimits& limits, RunLines& lines,
                 Tracer* tracer)
    : context_(context),
      backend_(backend),
      clock_(clock),
      limits_(limits),
      lines_(lines),
      tracer_(tracer),
      arrived_(clock.Now()),
      metrics_(metrics, "Run", arrived_) {}

void RunCall::Begin() {
  {
    MutexLock lock(mutex_);
    self_ = shared_from_this();
  }
  StartRead(&message_);
}

void RunCall::OnReadDone(bool ok) {
  if (!ok) {
    // The router sends no more messages.
    if (!begun_) {
      End(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                       "the call ended before its request arrived"));
    }
    return;
  }
  if (!begun_) {
    begun_ = true;
    StartSequence();
  } else if (message_.has_control()) {
    MutexLock lock(mutex_);
    paused_by_router_ = message_.control().paused();
    UpdatePaused();
  }
  StartRead(&message_);
}

void RunCall::StartSequence() {
  absl::StatusOr<GenerationRequest> request = FromProto(message_);
  // Frees it, as Clear would not: a prompt may be large.
  pb::RunRequest().Swap(&message_);
  if (!request.ok()) {
    Count(request.status());
    EndWith(request.status());
    return;
  }
  request->deadline = DeadlineOnClock(
      context_.deadline(), std::chrono::system_clock::now(), clock_.Now());
  {
    MutexLock lock(mutex_);
    prompt_tokens_ = PromptTokens(*request);
    metrics_.PromptTokens(prompt_tokens_);
    request_id_ = request->request_id;
    if (tracer_ != nullptr) {
      trace_ = RunTrace::Begin(tracer_, TraceOf(context_), arrived_);
    }
    if (trace_ != nullptr) request->trace = trace_->context();
  }
  std::shared_ptr<GenerationCall> call = backend_.Start(
      *std::move(request), std::make_shared<Sink>(shared_from_this()));
  bool cancelled = false;
  {
    MutexLock lock(mutex_);
    call_ = call;
    cancelled = cancelled_;
    UpdatePaused();
  }
  if (cancelled && call != nullptr) call->Cancel();
}

void RunCall::EndWith(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    // gRPC keeps the context until Over has returned.
    if (!status.ok() && !over_) {
      context_.AddTrailingMetadata(kRunEndTrailer,
                                   std::string(NameOf(EndOf(status))));
    }
  }
  End(ToGrpc(status));
}

void RunCall::CountAnswer(FinishCause cause) {
  if (cause == FinishCause::kScored) return;
  MutexLock lock(mutex_);
  metrics_.Completed(cause == FinishCause::kEos ? FinishedReason::kEos
                                                : FinishedReason::kLength);
}

void RunCall::Count(const absl::Status& status) {
  std::vector<LogField> fields;
  absl::StatusCode code = status.code();
  {
    MutexLock lock(mutex_);
    if (stalled_) code = absl::StatusCode::kResourceExhausted;
    const absl::Duration now = clock_.Now();
    metrics_.End(absl::StatusCodeToString(code), now);
    fields = {{"request_id", request_id_},
              {"code", absl::StatusCodeToString(code)},
              {"reason", std::string(status.message())},
              {"expert_worker", expert_worker_},
              {"tokens", tokens_},
              {"seconds", absl::ToDoubleSeconds(now - arrived_)}};
    if (trace_ != nullptr) {
      fields.emplace_back("trace_id", TraceIdText(trace_->context()));
      trace_->End({request_id_, prompt_tokens_, tokens_, code}, now);
      trace_.reset();
    }
  }
  const bool failed =
      code != absl::StatusCode::kOk && code != absl::StatusCode::kCancelled;
  const std::optional<std::int64_t> held_back =
      (failed ? lines_.failed : lines_.finished).Take();
  if (!held_back) return;
  if (*held_back > 0) fields.emplace_back("held_back", *held_back);
  if (!failed) {
    LogInfo("sequence_finished", fields);
  } else {
    LogWarning("sequence_finished", fields);
  }
}

void RunCall::Send(pb::RunEvent event) {
  Push(std::move(event));
  // Under the lock, so that a write which makes room after the test finds
  // full_ set.
  MutexLock lock(mutex_);
  if (static_cast<std::int64_t>(queued_bytes()) < limits_.output_bytes) return;
  if (full_) return;
  full_ = clock_.Now();
  UpdatePaused();
}

void RunCall::OnWritten() {
  MutexLock lock(mutex_);
  if (!full_) return;
  if (static_cast<std::int64_t>(queued_bytes()) > limits_.output_bytes / 4) {
    return;
  }
  full_.reset();
  UpdatePaused();
}

void RunCall::UpdatePaused() {
  const bool pause = paused_by_router_ || full_;
  if (call_ == nullptr || pause == paused_) return;
  paused_ = pause;
  call_->SetPaused(pause);
}

void RunCall::EndIfStalled() {
  const absl::Duration limit = limits_.stalled_router_timeout;
  MutexLock lock(mutex_);
  if (over_ || stalled_ || !full_ || clock_.Now() - *full_ <= limit) return;
  stalled_ = true;
  LogWarning("stalled_call_ended", {{"request_id", request_id_},
                                    {"seconds", absl::ToDoubleSeconds(limit)}});
  // Queued messages would delay an ordinary end.
  context_.TryCancel();
}

void RunCall::OnCancel() {
  std::shared_ptr<GenerationCall> call;
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
    call = call_;
  }
  if (call != nullptr) call->Cancel();
}

void RunCall::Over() {
  std::shared_ptr<RunCall> self;
  MutexLock lock(mutex_);
  over_ = true;
  self = std::move(self_);
  // `self` is destroyed after `lock`: see the order above.
}

}  // namespace apollo
