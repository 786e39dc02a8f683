#include "router/failover/failover_call.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "sequence/sequence_end.h"
#include "sequence/shared_numerics.h"

namespace apollo {

// Passes the events of one attempt to the sequence.
class FailoverCall::Attempt final : public GenerationSink {
 public:
  explicit Attempt(std::shared_ptr<FailoverCall> call)
      : call_(std::move(call)) {}
  void OnStarted(const GenerationStarted& started) override {
    call_->Started(started);
  }
  void OnPrompt(const PromptLogprobs& prompt) override {
    call_->PromptCame(prompt);
  }
  void OnToken(const GeneratedToken& token) override {
    call_->TokenCame(token);
  }
  void OnFinished(absl::StatusOr<GenerationFinished> finished) override {
    call_->Ended(std::move(finished));
  }

 private:
  const std::shared_ptr<FailoverCall> call_;
};

FailoverCall::FailoverCall(const FailoverContext& context,
                           GenerationRequest request,
                           std::shared_ptr<GenerationSink> sink)
    : context_(context),
      request_(std::move(request)),
      sink_(std::move(sink)),
      policy_(context.limits),
      numerics_(request_.numerics) {}

void FailoverCall::Begin() { Run(request_, 0); }

void FailoverCall::Retry() {
  GenerationRequest request;
  std::uint64_t number = 0;
  std::shared_ptr<GenerationCall> oldest;  // Destroyed after the lock.
  {
    MutexLock lock(mutex_);
    if (state_ != State::kWaiting) return;
    state_ = State::kRunning;
    number = ++number_;
    worker_.clear();
    begun_ = false;
    disowned_ = absl::OkStatus();
    oldest = Keep(std::move(call_));
    call_ = nullptr;
    confirmed_ = tokens_.empty();
    request = NextRequest();
  }
  Run(std::move(request), number);
}

GenerationRequest FailoverCall::NextRequest() const {
  GenerationRequest next = request_;
  if (!tokens_.empty()) {
    const auto resent = static_cast<int>(tokens_.size()) - 1;
    next.prompt.insert(next.prompt.end(), tokens_.begin(),
                       tokens_.begin() + resent);
    next.answer_tokens += resent;
    next.max_new_tokens -= resent;
    next.prompt_logprobs.reset();  // The sink has them all.
  }
  if (Bound()) {
    next.numerics = numerics_;
  } else if (request_.shared_numerics != nullptr) {
    next.numerics = request_.shared_numerics->settled();
  }
  return next;
}

bool FailoverCall::Bound() const {
  // The client has been told them with the start, and may resume with them.
  const bool told = told_started_ && numerics_ && request_.score_tokens == 0;
  return request_.numerics || told || !tokens_.empty() || prompt_next_ > 1;
}

bool FailoverCall::Fits(const std::optional<SequenceNumerics>& numerics) {
  if (Bound()) return numerics == numerics_;
  if (request_.shared_numerics == nullptr) return true;
  // Unknown ones, of an older release, settle nothing.
  return numerics ? request_.shared_numerics->Settle(*numerics) == *numerics
                  : !request_.shared_numerics->settled();
}

void FailoverCall::Run(GenerationRequest request, std::uint64_t number) {
  std::set<std::string> avoid;
  {
    MutexLock lock(mutex_);
    avoid = avoid_;
    BeginAttemptSpan(request);
  }
  std::shared_ptr<GenerationCall> call = context_.pool.StartElsewhere(
      std::move(request), std::make_shared<Attempt>(shared_from_this()), avoid,
      [this](const std::string& worker) {
        MutexLock lock(mutex_);
        worker_ = worker;
      });
  if (call == nullptr) return;  // It has ended.
  bool cancel = false;
  std::shared_ptr<GenerationCall> oldest;  // Destroyed after the lock.
  {
    MutexLock lock(mutex_);
    if (state_ != State::kRunning || number != number_) {
      oldest = Keep(std::move(call));
      return;
    }
    call_ = call;
    if (paused_) call->SetPaused(true);
    cancel = cancelled_ || !disowned_.ok();
  }
  if (cancel) call->Cancel();
}

std::shared_ptr<GenerationCall> FailoverCall::Keep(
    std::shared_ptr<GenerationCall> ended) {
  if (ended == nullptr) return nullptr;
  earlier_.push_back(std::move(ended));
  if (earlier_.size() <= kKept) return nullptr;
  std::shared_ptr<GenerationCall> oldest = std::move(earlier_.front());
  earlier_.pop_front();
  return oldest;
}

void FailoverCall::Cancel() {
  std::shared_ptr<GenerationCall> call;
  std::shared_ptr<GenerationSink> sink;
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
    if (state_ == State::kWaiting) {
      state_ = State::kOver;
      sink = std::move(sink_);
    } else if (state_ == State::kRunning) {
      call = call_;
    }
  }
  if (call != nullptr) call->Cancel();
  if (sink != nullptr) {
    sink->OnFinished(absl::CancelledError("the request was cancelled"));
  }
}

void FailoverCall::SetPaused(bool paused) {
  MutexLock lock(mutex_);
  paused_ = paused;
  if (state_ == State::kRunning && call_ != nullptr) call_->SetPaused(paused);
}

void FailoverCall::Disown(absl::Status error) {
  std::shared_ptr<GenerationCall> call;
  {
    MutexLock lock(mutex_);
    if (!disowned_.ok()) return;
    disowned_ = std::move(error);
    call = call_;  // Null while the pool starts it: Run cancels it then.
  }
  if (call != nullptr) call->Cancel();
}

void FailoverCall::Started(const GenerationStarted& started) {
  std::shared_ptr<GenerationSink> sink;
  bool fits = true;
  {
    MutexLock lock(mutex_);
    begun_ = true;
    fits = Fits(started.numerics);
    if (fits) {
      numerics_ = started.numerics;
      if (!std::exchange(told_started_, true)) {
        WentOn();
        sink = sink_;
      }
    }
  }
  if (!fits) {
    Disown(absl::UnavailableError(
        "the workers that could continue the answer have other numerics than "
        "those that began it"));
  }
  if (sink != nullptr) sink->OnStarted(started);
}

void FailoverCall::PromptCame(const PromptLogprobs& prompt) {
  PromptLogprobs fresh = prompt;
  std::shared_ptr<GenerationSink> sink;
  {
    MutexLock lock(mutex_);
    if (!disowned_.ok()) return;
    const int known = std::clamp(prompt_next_ - prompt.index, 0,
                                 static_cast<int>(prompt.tokens.size()));
    fresh.index += known;
    fresh.tokens.erase(fresh.tokens.begin(), fresh.tokens.begin() + known);
    prompt_next_ += static_cast<int>(fresh.tokens.size());
    if (!fresh.tokens.empty()) WentOn();
    sink = sink_;
  }
  if (!fresh.tokens.empty()) sink->OnPrompt(fresh);
}

void FailoverCall::TokenCame(const GeneratedToken& token) {
  std::shared_ptr<GenerationSink> sink;
  bool differs = false;
  {
    MutexLock lock(mutex_);
    if (!disowned_.ok()) return;
    const int next = request_.answer_tokens + static_cast<int>(tokens_.size());
    if (token.index == next && confirmed_) {
      tokens_.push_back(token.token);
      policy_.Progressed();
      avoid_.clear();
      WentOn();
      sink = sink_;
    } else if (token.index + 1 == next && !confirmed_) {
      confirmed_ = token.token == tokens_.back();
      differs = !confirmed_;
    } else {
      differs = token.index >= next;
    }
  }
  if (differs) {
    Disown(absl::InternalError(
        "another dense worker does not continue the answer where it ended"));
  }
  if (sink != nullptr) sink->OnToken(token);
}

void FailoverCall::Ended(absl::StatusOr<GenerationFinished> finished) {
  std::shared_ptr<GenerationSink> sink;
  {
    MutexLock lock(mutex_);
    if (!disowned_.ok()) {
      finished = disowned_;
    } else if (finished.ok() && !confirmed_) {
      finished = absl::InternalError(
          "another dense worker ends the answer before its last token");
    }
    const absl::StatusCode code = finished.status().code();
    std::optional<absl::Status> end = finished.status();
    if (!finished.ok()) end = JudgeEnd(finished.status());
    EndAttemptSpan(code);
    if (!end) return;
    if (!finished.ok()) finished = *std::move(end);
    if (finished.ok()) WentOn();
    state_ = State::kOver;
    sink = std::move(sink_);
  }
  sink->OnFinished(std::move(finished));
}

void FailoverCall::WentOn() {
  if (!loss_) return;
  context_.metrics.Continued(loss_->cause, context_.clock.Now() - loss_->time);
  loss_.reset();
}

std::optional<absl::Status> FailoverCall::JudgeEnd(const absl::Status& error) {
  if (!worker_.empty() && absl::IsUnavailable(error) &&
      EndOf(error) != SequenceEnd::kAnswered) {
    context_.pool.Suspect(worker_);
  }
  if (cancelled_) return absl::CancelledError("the request was cancelled");
  const absl::Duration now = context_.clock.Now();
  ReissuePolicy::Verdict verdict =
      policy_.Judge({error, !worker_.empty(), begun_}, now);
  if (!verdict.again) {
    if (reissued_) context_.metrics.GivenUp();
    return std::move(verdict.error);
  }
  if (!worker_.empty()) {
    context_.metrics.Reissued(*verdict.again);
    reissued_ = true;
    if (!loss_) loss_ = {*verdict.again, now};
    avoid_.insert(worker_);
    LogReissue(verdict, error);
    if (span_) {
      span_->events.push_back(
          {"sequence_reissued", now, {{"cause", NameOf(*verdict.again)}}});
    }
  }
  if (verdict.pause > absl::ZeroDuration()) {
    context_.metrics.Paused();
    avoid_.clear();
  }
  state_ = State::kWaiting;
  context_.later(shared_from_this(), now + verdict.pause);
  return std::nullopt;
}

void FailoverCall::BeginAttemptSpan(GenerationRequest& request) {
  if (context_.tracer == nullptr || !request_.trace) return;
  span_ =
      MakeSpan("apollo.internal.v1.DenseWorkerService/Run", SpanKind::kClient,
               BeginSpan(request_.trace), request_.trace, context_.clock.Now());
  request.trace = span_->context;
}

void FailoverCall::EndAttemptSpan(absl::StatusCode code) {
  if (!span_) return;
  Span span = *std::exchange(span_, std::nullopt);
  if (worker_.empty()) return;  // No worker was found: there was no call.
  span.ended = context_.clock.Now();
  span.code = code;
  span.attributes = {{"rpc.system", "grpc"},
                     {"rpc.service", "apollo.internal.v1.DenseWorkerService"},
                     {"rpc.method", "Run"},
                     {"rpc.grpc.status_code", static_cast<int>(code)},
                     {"apollo.request_id", request_.request_id},
                     {"apollo.dense_worker", worker_},
                     {"apollo.attempt", static_cast<std::int64_t>(number_)},
                     {"apollo.tokens", static_cast<int>(tokens_.size())}};
  context_.tracer->Take(std::move(span));
}

void FailoverCall::LogReissue(const ReissuePolicy::Verdict& verdict,
                              const absl::Status& error) const {
  const std::optional<std::int64_t> held_back = context_.lines.Take();
  if (!held_back) return;
  std::vector<LogField> fields = {{"request_id", request_.request_id},
                                  {"cause", NameOf(*verdict.again)},
                                  {"dense_worker", worker_},
                                  {"tokens", static_cast<int>(tokens_.size())},
                                  {"reason", std::string(error.message())}};
  if (*held_back > 0) fields.emplace_back("held_back", *held_back);
  LogWarning("sequence_reissued", fields);
}

}  // namespace apollo
