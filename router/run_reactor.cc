#include "router/run_reactor.h"

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <chrono>
#include <utility>
#include <variant>

#include "common/clock.h"
#include "link/deadline.h"
#include "link/generation_codec.h"
#include "link/run_end.h"
#include "link/status_codec.h"
#include "link/trace_metadata.h"
#include "sequence/sequence_end.h"

namespace apollo {

namespace pb = internal::v1;

namespace {

// Returns the way in which a call ended whose status is this error.
SequenceEnd EndOfCall(const grpc::ClientContext& context,
                      const grpc::Status& status) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto it = trailers.find(kRunEndTrailer);
  if (it != trailers.end()) {
    return SequenceEndNamed({it->second.data(), it->second.size()})
        .value_or(SequenceEnd::kAnswered);
  }
  return status.error_code() == grpc::StatusCode::UNAVAILABLE
             ? SequenceEnd::kLost
             : SequenceEnd::kAnswered;
}

}  // namespace

RunReactor::RunReactor(const GenerationRequest& request,
                       std::shared_ptr<GenerationSink> sink,
                       std::function<void()> over)
    : deadline_(request.deadline),
      trace_(request.trace),
      over_(std::move(over)),
      sink_(std::move(sink)),
      next_index_(request.answer_tokens),
      message_(ToProto(request)) {}

void RunReactor::Begin(std::shared_ptr<pb::DenseWorkerService::Stub> stub) {
  stub_ = std::move(stub);
  {
    MutexLock lock(mutex_);
    self_ = shared_from_this();
  }
  // It frees the sequence on the worker even if this process hangs.
  if (deadline_ < absl::InfiniteDuration()) {
    context_.set_deadline(DeadlineOfCall(
        deadline_, std::chrono::system_clock::now(), Clock::Real().Now()));
  }
  if (trace_) AddTrace(*trace_, context_);
  // Sent together with the request.
  context_.set_initial_metadata_corked(true);
  stub_->async()->Run(&context_, this);
  // Until the last read, SetPaused may write from threads other than gRPC's.
  AddHold();
  {
    MutexLock lock(write_mutex_);
    writing_ = true;
    StartWrite(&message_);
  }
  StartRead(&event_);
  StartCall();
}

void RunReactor::Cancel() {
  {
    MutexLock lock(end_mutex_);
    cancelled_ = true;
  }
  context_.TryCancel();
}

void RunReactor::Abandon(const absl::Status& error) {
  MutexLock lock(end_mutex_);
  Fail(error);
}

void RunReactor::Fail(const absl::Status& error) {
  if (error_.ok()) error_ = error;
  context_.TryCancel();
}

void RunReactor::SetPaused(bool paused) {
  MutexLock lock(write_mutex_);
  paused_ = paused;
  SendPaused();
}

void RunReactor::SendPaused() {
  if (writing_ || ended_ || paused_ == sent_paused_) return;
  sent_paused_ = paused_;
  message_.Clear();
  message_.mutable_control()->set_paused(paused_);
  writing_ = true;
  StartWrite(&message_);
}

void RunReactor::OnWriteDone(bool ok) {
  MutexLock lock(write_mutex_);
  writing_ = false;
  // Frees it, as Clear would not: a prompt may be large.
  pb::RunRequest().Swap(&message_);
  if (ok) SendPaused();
}

void RunReactor::OnReadDone(bool ok) {
  if (!ok) {
    {
      MutexLock lock(write_mutex_);
      ended_ = true;
    }
    RemoveHold();
    return;
  }
  {
    MutexLock lock(mutex_);
    Take();
  }
  StartRead(&event_);
}

void RunReactor::Take() {
  {
    MutexLock lock(end_mutex_);
    if (!error_.ok() || finished_) return;
  }
  absl::StatusOr<GenerationEvent> event = FromProto(event_);
  if (!event.ok()) {
    MutexLock lock(end_mutex_);
    Fail(absl::InternalError(absl::StrCat(
        "the dense worker sent an invalid event: ", event.status().message())));
  } else if (auto* finished = std::get_if<GenerationFinished>(&*event)) {
    finished_ = std::move(*finished);
  } else if (auto* started = std::get_if<GenerationStarted>(&*event)) {
    sink_->OnStarted(*started);
  } else if (auto* prompt = std::get_if<PromptLogprobs>(&*event)) {
    if (prompt->index != next_prompt_index_) {
      MutexLock lock(end_mutex_);
      Fail(absl::InternalError("log-probabilities of the prompt are missing"));
      return;
    }
    next_prompt_index_ += static_cast<int>(prompt->tokens.size());
    sink_->OnPrompt(*prompt);
  } else {
    const auto& token = std::get<GeneratedToken>(*event);
    if (token.index < next_index_) return;  // A duplicate.
    if (token.index > next_index_) {
      MutexLock lock(end_mutex_);
      Fail(absl::InternalError("tokens of the answer are missing"));
      return;
    }
    ++next_index_;
    sink_->OnToken(token);
  }
}

absl::StatusOr<GenerationFinished> RunReactor::Result(
    const grpc::Status& status) {
  MutexLock lock(end_mutex_);
  if (!error_.ok()) return error_;
  // Only gRPC itself gives UNKNOWN.
  const bool broke_off =
      status.ok() ? !finished_
                  : (status.error_code() == grpc::StatusCode::CANCELLED &&
                     !cancelled_) ||
                        status.error_code() == grpc::StatusCode::UNKNOWN;
  if (broke_off) {
    return WithEnd(
        absl::UnavailableError(
            "the connection to the dense worker was lost; try again"),
        SequenceEnd::kLost);
  }
  if (!status.ok()) {
    return WithEnd(FromGrpc(status), EndOfCall(context_, status));
  }
  return *std::move(finished_);
}

void RunReactor::OnDone(const grpc::Status& status) {
  // Both are released after the lock. The sink must be: it holds the call,
  // which holds this reactor.
  std::shared_ptr<RunReactor> self;
  std::shared_ptr<GenerationSink> sink;
  {
    MutexLock lock(mutex_);
    sink = std::move(sink_);
    sink->OnFinished(Result(status));
    self = std::move(self_);
  }
  over_();
}

}  // namespace apollo
