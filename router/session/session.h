#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "router/access/call_pass.h"
#include "router/audit/audit_log.h"
#include "router/backend.h"
#include "router/model/router_model.h"
#include "router/process_status.h"
#include "router/session/call_table.h"
#include "router/session/call_trace.h"
#include "router/session/events.h"
#include "router/session/language_metrics.h"
#include "router/session/writer.h"
#include "sequence/generation.h"
#include "serving/metrics.h"
#include "tracing/tracer.h"

namespace apollo {

// The parts of a router that sessions share. All must outlive them.
struct SessionContext {
  const RouterModel& model;
  RouterBackend& backend;
  RequestMetrics& metrics;
  const Clock& clock;
  CallTable& calls;
  LanguageMetrics* languages = nullptr;  // Null: languages are not counted.
  AuditLog* audit = nullptr;             // Null: no audit log.
  Tracer* tracer = nullptr;              // Null: no call is traced.
  RouterFacts facts = {};
};

// One call of a client, from its arrival to its end, independent of the front
// that received it. The base class does the work that all methods share. A
// session
//
// - enters the table of calls, or is refused;
// - is in the audit log before its sequences run, or is refused;
// - runs sequences and passes on their events, one at a time;
// - ends once: when all sequences have ended, when one fails, or when the
//   client cancels; then it cancels the remaining sequences;
// - pauses its sequences while the client does not read, and ends if that takes
//   too long (CallLimits);
// - counts as running (in the metrics and the table of calls) until it is
//   destroyed, that is, until the front and all sequences have released it.
//
// Thread-safe. A front creates a session, calls Start of the subclass, and
// finally Close.
class Session : public WatchedCall,
                public std::enable_shared_from_this<Session> {
 public:
  // The name of the call in the logs of all processes: a new one, unless the
  // front sets that of the client before it starts the call. A call that is
  // refused before its request has been read has a name, too.
  void SetRequestId(std::string id);
  std::string request_id();
  // Sets the time, by the clock of the context, at which the client waits no
  // longer: by then, at the latest, its sequences end everywhere. The front
  // ends the call itself. Must be called before the call is started.
  void SetDeadline(absl::Duration deadline);
  // Makes the call a span below that of the client, if it has told one, or the
  // first span of a trace, unless the trace is not sampled. Without this, the
  // call is not traced. Must be called before the call is started.
  void SetTrace(const std::optional<TraceContext>& parent);

  // Ends a call that the policy has refused, instead of starting it.
  void Refuse(const absl::Status& reason);
  // Ends the call, for example because its client has gone: then `reason` is
  // CANCELLED or DEADLINE_EXCEEDED.
  void Cancel(const absl::Status& reason) override;
  // Called by the front when some of the output has been sent.
  void OnSent();
  // Called by the front when it is done with the call. Counts and logs the
  // outcome; the writer is not used any more.
  void Close();
  void Watch() override;

 protected:
  // `method` is a string literal. `pass` is not null, and ends with the
  // session. The writer must live until Close.
  Session(const SessionContext& context, const char* method,
          std::unique_ptr<CallPass> pass, SessionWriter& writer);

  // Writes who calls into a request. Returns a FieldError if the caller may not
  // have its priority, or a prompt of this size; `field` is that of the prompt.
  absl::Status SetCaller(const char* field, std::size_t prompt_tokens,
                         GenerationRequest& run) ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns a FieldError if the caller may not have so many tokens computed;
  // `field` is the one that has the last of them.
  absl::Status CheckTokens(const char* field, std::size_t tokens)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Enters the table of calls and runs `begin`; ends the call if either fails.
  void Begin(absl::FunctionRef<absl::Status()> begin);
  // Starts the sequences, in order, until one fails; without any, the call ends
  // with OK. Called once, by `begin`. If there is an audit log, they start once
  // it has the start of the call, maybe in another thread.
  void RunSequences(std::vector<GenerationRequest> requests);

  // The events of the sequence `index`, until the call ends or Stop.
  virtual void OnStarted(int index, const GenerationStarted& started)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  virtual void OnPrompt(int /*index*/, const PromptLogprobs& /*prompt*/)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {}
  virtual void OnToken(int index, const GeneratedToken& token)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // Called if the sequence finished without an error. A returned error ends the
  // call.
  virtual absl::Status OnFinished(int index, const GenerationFinished& finished)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // Called when the last sequence has finished or was stopped; the call then
  // ends with OK if the writer has room for all that was written.
  virtual void OnAllFinished() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {}
  // Adds what only the subclass knows: `resumed`, `answer_tokens` and
  // `finish_reasons`.
  virtual void DescribeAnswers(AuditEntry& /*entry*/) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {}

  // These two count in the metrics of requests and of languages.
  //
  // Makes the call count as accepted, with its prompt, once its sequences may
  // start. Called before RunSequences.
  void CountWhenAccepted(const LanguageChoice& language, int prompt_tokens)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Counts a token generated at `now`.
  void CountToken(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Ends the call with an error.
  void Fail(const absl::Status& error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    End(error);
  }
  // Cancels a sequence that is no longer needed, without an error.
  void Stop(int index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Pauses the sequences if too much output is unsent, and ends the call if the
  // writer has no room. Call it after writing. `more`: output that was just
  // written and may come in large amounts even after a pause.
  void LimitOutput(std::size_t more = 0) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Duration Now() const { return context_.clock.Now(); }

  // Constant after construction.
  const SessionContext context_;
  const absl::Duration arrived_;

  Mutex mutex_;
  RequestMetrics::Request metrics_ ABSL_GUARDED_BY(mutex_);
  AnswerStarted started_ ABSL_GUARDED_BY(mutex_);
  // Whose call it is, and what it may take.
  const std::unique_ptr<CallPass> pass_ ABSL_PT_GUARDED_BY(mutex_);
  bool is_chat_ ABSL_GUARDED_BY(mutex_) = false;  // For the trace only.

 private:
  class Sink;
  struct Sequence {
    std::shared_ptr<GenerationCall> call;  // Null until it is started.
    bool over = false;                     // Has sent its last event.
    bool stopped = false;                  // Is no longer needed.
    bool cancelled = false;                // Cancel was called.
    bool paused = false;                   // The last value of SetPaused.
  };

  void StartSequences(std::vector<GenerationRequest> requests);
  // Counts the call as accepted.
  void CountAccepted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Starts them, or ends the call, as the start was written or not.
  void StartIfAudited(const absl::Status& written,
                      std::vector<GenerationRequest> requests);
  AuditEntry Audit(AuditEntry::Event event) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Writes the end of the call.
  void AuditEnd() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void SequenceStarted(int index, const GenerationStarted& started);
  void PromptCame(int index, const PromptLogprobs& prompt);
  void TokenCame(int index, const GeneratedToken& token);
  void SequenceFinished(int index, absl::StatusOr<GenerationFinished> finished);

  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Abort(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndIfAllFinished() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Cancels, pauses and resumes the sequences as has been decided under the
  // lock. It must not be held, since a backend may call back immediately. If
  // several threads call this, one of them does the work for all.
  void Settle() ABSL_LOCKS_EXCLUDED(mutex_);
  void LogOutcome() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndTrace() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const char* const method_;

  CondVar settled_;
  const AuditCaller audit_caller_;
  std::string model_hash_ ABSL_GUARDED_BY(mutex_);  // If there is a start.
  bool audit_refused_ ABSL_GUARDED_BY(mutex_) = false;
  bool policy_refused_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration deadline_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();
  std::unique_ptr<CallTrace> trace_ ABSL_GUARDED_BY(mutex_);  // Null: none.
  SessionWriter* writer_ ABSL_GUARDED_BY(mutex_);  // Null after Close.
  std::vector<Sequence> sequences_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // The writer has been told.
  absl::Status outcome_ ABSL_GUARDED_BY(mutex_);
  bool aborted_ ABSL_GUARDED_BY(mutex_) = false;
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;
  std::int64_t large_output_ ABSL_GUARDED_BY(mutex_) = 0;  // See LimitOutput.
  // Time since which the client owes a read: of the pause, the end, or the last
  // output sent.
  absl::Duration waiting_since_ ABSL_GUARDED_BY(mutex_);
  // See CountWhenAccepted.
  LanguageChoice accepted_language_ ABSL_GUARDED_BY(mutex_);
  int accepted_tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of the language; null until the call is accepted.
  const LanguageMetrics::Series* language_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool any_token_ ABSL_GUARDED_BY(mutex_) = false;
  bool unsettled_ ABSL_GUARDED_BY(mutex_) = false;
  bool settling_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
