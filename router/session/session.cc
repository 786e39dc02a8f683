#include "router/session/session.h"

#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "router/session/new_ids.h"

namespace apollo {
namespace {

// A call ends when its unsent output exceeds twice the limit at which its
// sequences pause, plus this room for tokens in flight.
constexpr std::int64_t kInFlightBytes = 1 << 20;

}  // namespace

// Passes the events of one sequence to its session.
class Session::Sink final : public GenerationSink {
 public:
  Sink(std::shared_ptr<Session> session, int index)
      : session_(std::move(session)), index_(index) {}
  void OnStarted(const GenerationStarted& started) override {
    session_->SequenceStarted(index_, started);
  }
  void OnPrompt(const PromptLogprobs& prompt) override {
    session_->PromptCame(index_, prompt);
  }
  void OnToken(const GeneratedToken& token) override {
    session_->TokenCame(index_, token);
  }
  void OnFinished(absl::StatusOr<GenerationFinished> finished) override {
    session_->SequenceFinished(index_, std::move(finished));
  }

 private:
  const std::shared_ptr<Session> session_;
  const int index_;
};

Session::Session(const SessionContext& context, const char* method,
                 std::unique_ptr<CallPass> pass, SessionWriter& writer)
    : WatchedCall(context.calls),
      context_(context),
      arrived_(context.clock.Now()),
      metrics_(context.metrics, method, arrived_),
      pass_(std::move(pass)),
      method_(method),
      audit_caller_{pass_->caller(), pass_->certificate()},
      writer_(&writer) {
  MutexLock lock(mutex_);
  started_.request_id = NewRequestId();
}

void Session::SetRequestId(std::string id) {
  MutexLock lock(mutex_);
  started_.request_id = std::move(id);
}

std::string Session::request_id() {
  MutexLock lock(mutex_);
  return started_.request_id;
}

void Session::SetDeadline(absl::Duration deadline) {
  MutexLock lock(mutex_);
  deadline_ = deadline;
}

void Session::SetTrace(const std::optional<TraceContext>& parent) {
  MutexLock lock(mutex_);
  trace_ = CallTrace::Begin(context_.tracer, parent, arrived_);
}

void Session::Begin(absl::FunctionRef<absl::Status()> begin) {
  absl::Status status = context_.calls.Enter(shared_from_this());
  if (status.ok()) status = begin();
  if (status.ok()) return;
  {
    MutexLock lock(mutex_);
    End(status);
  }
  Settle();
}

absl::Status Session::SetCaller(const char* field, std::size_t prompt_tokens,
                                GenerationRequest& run) {
  MutexLock lock(mutex_);
  RETURN_IF_ERROR(pass_->CheckPriority(run.priority));
  RETURN_IF_ERROR(
      pass_->CheckPrompt(field, static_cast<std::int64_t>(prompt_tokens)));
  run.caller = pass_->caller();
  run.cache_salt = pass_->cache_salt();
  return absl::OkStatus();
}

absl::Status Session::CheckTokens(const char* field, std::size_t tokens) {
  MutexLock lock(mutex_);
  return pass_->CheckPrompt(field, static_cast<std::int64_t>(tokens));
}

void Session::RunSequences(std::vector<GenerationRequest> requests) {
  if (context_.audit == nullptr) {
    StartSequences(std::move(requests));
    return;
  }
  std::string model_hash = context_.backend.ModelHash();
  AuditEntry entry;
  {
    MutexLock lock(mutex_);
    model_hash_ = std::move(model_hash);
    entry = Audit(AuditEntry::Event::kStarted);
  }
  context_.audit->WriteFirst(
      entry, [self = shared_from_this(), requests = std::move(requests)](
                 const absl::Status& written) mutable {
        self->StartIfAudited(written, std::move(requests));
      });
}

void Session::StartIfAudited(const absl::Status& written,
                             std::vector<GenerationRequest> requests) {
  if (written.ok()) {
    StartSequences(std::move(requests));
    return;
  }
  {
    MutexLock lock(mutex_);
    audit_refused_ = true;
    End(written);
  }
  Settle();
}

void Session::StartSequences(std::vector<GenerationRequest> requests) {
  {
    MutexLock lock(mutex_);
    sequences_.resize(requests.size());
    for (GenerationRequest& request : requests) {
      request.deadline = deadline_;
      if (trace_ != nullptr) request.trace = trace_->context();
    }
    if (!ended_) CountAccepted();
    EndIfAllFinished();  // There may be none.
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    {
      // An earlier sequence may have failed within Start.
      MutexLock lock(mutex_);
      if (ended_) return;
    }
    std::shared_ptr<GenerationCall> call = context_.backend.Start(
        std::move(requests[i]),
        std::make_shared<Sink>(shared_from_this(), static_cast<int>(i)));
    if (call == nullptr) continue;
    bool closed = false;
    {
      MutexLock lock(mutex_);
      closed = writer_ == nullptr;
      if (!closed) sequences_[i].call = call;
    }
    if (closed) {
      call->Cancel();
      return;
    }
    Settle();
  }
}

void Session::Refuse(const absl::Status& reason) {
  {
    MutexLock lock(mutex_);
    policy_refused_ = true;
  }
  Cancel(reason);
}

void Session::Cancel(const absl::Status& reason) {
  {
    MutexLock lock(mutex_);
    End(reason);
  }
  Settle();
}

void Session::OnSent() {
  {
    MutexLock lock(mutex_);
    if (writer_ == nullptr) return;
    waiting_since_ = Now();
    if (!paused_) return;
    const auto unsent = static_cast<std::int64_t>(writer_->unsent());
    if (unsent > context_.calls.limits().output_bytes / 2) return;
    paused_ = false;
  }
  Settle();
}

void Session::Watch() {
  const absl::Duration timeout = context_.calls.limits().stalled_client_timeout;
  {
    MutexLock lock(mutex_);
    if (writer_ == nullptr || aborted_ || !(paused_ || ended_)) return;
    if (Now() - waiting_since_ < timeout) return;
    Abort(absl::ResourceExhaustedError(absl::StrCat(
        "the client has read nothing for ", absl::FormatDuration(timeout), "; ",
        writer_->unsent(), " bytes of the answer are unsent")));
  }
  Settle();
}

void Session::Close() {
  // Destroyed after the lock is released: the calls of a backend may hold their
  // sinks, which hold this session.
  std::vector<std::shared_ptr<GenerationCall>> calls;
  {
    MutexLock lock(mutex_);
    if (writer_ == nullptr) return;
    if (!ended_) outcome_ = absl::CancelledError("the client disconnected");
    ended_ = true;
    writer_ = nullptr;
  }
  Settle();
  MutexLock lock(mutex_);
  while (settling_) settled_.wait(mutex_);
  for (Sequence& sequence : sequences_) {
    calls.push_back(std::move(sequence.call));
  }
  pass_->End(outcome_.code());
  metrics_.End(absl::StatusCodeToString(outcome_.code()), Now());
  LogOutcome();
  AuditEnd();
  EndTrace();
}

void Session::SequenceStarted(int index, const GenerationStarted& started) {
  MutexLock lock(mutex_);
  if (ended_) return;
  pass_->UsePrompt();
  if (trace_ != nullptr) trace_->Started(Now());
  OnStarted(index, started);
}

void Session::PromptCame(int index, const PromptLogprobs& prompt) {
  {
    MutexLock lock(mutex_);
    if (ended_ || sequences_[index].stopped) return;
    OnPrompt(index, prompt);
    if (!unsettled_) return;
  }
  Settle();
}

void Session::TokenCame(int index, const GeneratedToken& token) {
  {
    MutexLock lock(mutex_);
    if (ended_ || sequences_[index].stopped) return;
    if (trace_ != nullptr) trace_->Token(Now());
    OnToken(index, token);
    if (sequences_[index].stopped) EndIfAllFinished();
    if (!unsettled_) return;
  }
  Settle();
}

void Session::SequenceFinished(int index,
                               absl::StatusOr<GenerationFinished> finished) {
  {
    MutexLock lock(mutex_);
    sequences_[index].over = true;
    if (ended_ || sequences_[index].stopped) return;
    absl::Status status = finished.status();
    if (status.ok()) status = OnFinished(index, *finished);
    // One failed sequence fails the whole call.
    if (!status.ok()) End(status);
    EndIfAllFinished();
    if (!unsettled_) return;
  }
  Settle();
}

void Session::CountWhenAccepted(const LanguageChoice& language,
                                int prompt_tokens) {
  accepted_language_ = language;
  accepted_tokens_ = prompt_tokens;
}

void Session::CountAccepted() {
  metrics_.PromptTokens(accepted_tokens_);
  if (context_.languages == nullptr) return;
  language_ =
      &context_.languages->Accepted(accepted_language_, accepted_tokens_);
}

void Session::CountToken(absl::Duration now) {
  metrics_.Token(now);
  if (language_ == nullptr) return;
  language_->generation_tokens.Increment();
  if (std::exchange(any_token_, true)) return;
  language_->first_token.Observe(absl::ToDoubleSeconds(now - arrived_));
}

void Session::Stop(int index) {
  sequences_[index].stopped = true;
  unsettled_ = true;
}

void Session::LimitOutput(std::size_t more) {
  if (const absl::Status room = writer_->room(); !room.ok()) {
    End(room);
    return;
  }
  const std::int64_t bound = context_.calls.limits().output_bytes;
  const auto unsent = static_cast<std::int64_t>(writer_->unsent());
  // It is bounded by the steps that are in flight at a pause.
  large_output_ += static_cast<std::int64_t>(more);
  if (unsent > 2 * bound + kInFlightBytes + large_output_) {
    Abort(absl::ResourceExhaustedError(
        absl::StrCat("the client reads too slowly; ", unsent,
                     " bytes of the answer are unsent")));
  } else if (unsent >= bound && !paused_) {
    paused_ = true;
    waiting_since_ = Now();
    unsettled_ = true;
  }
}

void Session::EndIfAllFinished() {
  const bool all = std::all_of(sequences_.begin(), sequences_.end(),
                               [](const Sequence& sequence) {
                                 return sequence.over || sequence.stopped;
                               });
  if (ended_ || !all) return;
  OnAllFinished();
  End(writer_->room());
}

void Session::End(const absl::Status& status) {
  if (ended_) return;
  ended_ = true;
  outcome_ = status;
  waiting_since_ = Now();
  unsettled_ = true;
  // First: a client that knows the end may call again at once.
  pass_->End(status.code());
  writer_->End(status);
}

void Session::Abort(const absl::Status& status) {
  aborted_ = true;
  if (!ended_ || outcome_.ok()) outcome_ = status;
  ended_ = true;
  unsettled_ = true;
  pass_->End(outcome_.code());
  writer_->Abort(outcome_);
}

void Session::Settle() {
  {
    MutexLock lock(mutex_);
    if (settling_) return;  // The other thread will look again.
    settling_ = true;
  }
  for (;;) {
    std::vector<std::shared_ptr<GenerationCall>> to_cancel, to_pause;
    bool pause = false;
    {
      MutexLock lock(mutex_);
      unsettled_ = false;
      pause = paused_;
      for (Sequence& sequence : sequences_) {
        if (sequence.call == nullptr || sequence.over) continue;
        if (ended_ || sequence.stopped) {
          if (!sequence.cancelled) to_cancel.push_back(sequence.call);
          sequence.cancelled = true;
        } else if (sequence.paused != pause) {
          to_pause.push_back(sequence.call);
          sequence.paused = pause;
        }
      }
      if (to_cancel.empty() && to_pause.empty()) {
        settling_ = false;
        settled_.notify_all();
        return;
      }
    }
    for (const auto& call : to_cancel) call->Cancel();
    for (const auto& call : to_pause) call->SetPaused(pause);
  }
}

void Session::LogOutcome() const {
  const std::string trace_id =
      trace_ == nullptr ? "" : TraceIdText(trace_->context());
  if (!outcome_.ok()) {
    context_.calls.failures().Report(method_, started_.request_id, outcome_,
                                     trace_id);
    return;
  }
  std::vector<LogField> fields = {
      {"request_id", started_.request_id},
      {"method", method_},
      {"language", started_.language.language},
      {"family", started_.language.family},
      {"prompt_tokens", started_.prompt_tokens},
      {"sequences", static_cast<int>(sequences_.size())},
      {"seconds", absl::ToDoubleSeconds(Now() - arrived_)}};
  if (!trace_id.empty()) fields.emplace_back("trace_id", trace_id);
  LogInfo("request_finished", fields);
}

void Session::EndTrace() {
  if (trace_ == nullptr) return;
  trace_->End({.entry = Audit(AuditEntry::Event::kEnded),
               .model = context_.model.name,
               .is_chat = is_chat_,
               .sequences = static_cast<int>(sequences_.size()),
               .code = outcome_.code()},
              Now());
  trace_.reset();
}

AuditEntry Session::Audit(AuditEntry::Event event) const {
  AuditEntry entry;
  entry.event = event;
  entry.request_id = started_.request_id;
  entry.caller = audit_caller_;
  entry.method = method_;
  entry.language = started_.language.language;
  entry.family = started_.language.family;
  entry.prompt_tokens = started_.prompt_tokens;
  entry.model_hash = model_hash_;
  DescribeAnswers(entry);
  return entry;
}

void Session::AuditEnd() const {
  // A call that the log itself has refused is only counted: the log would fill
  // its memory with such calls.
  if (context_.audit == nullptr || audit_refused_) return;
  AuditEntry entry = Audit(AuditEntry::Event::kEnded);
  entry.code = absl::StatusCodeToString(outcome_.code());
  entry.duration = Now() - arrived_;
  if (policy_refused_) {
    context_.audit->WriteRefused(entry);
  } else {
    context_.audit->Write(entry, /*ran=*/!model_hash_.empty());
  }
}

}  // namespace apollo
