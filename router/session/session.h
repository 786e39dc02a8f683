#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "router/backend.h"
#include "router/model/router_model.h"
#include "router/session/call_table.h"
#include "router/session/events.h"
#include "router/session/writer.h"
#include "sequence/generation.h"
#include "serving/metrics.h"

namespace apollo {

// The parts of a router that sessions share. All must outlive them.
struct SessionContext {
  const RouterModel& model;
  RouterBackend& backend;
  RequestMetrics& metrics;
  const Clock& clock;
  CallTable& calls;
};

// One call of a client from its arrival to its end, whatever front it came by:
// the part that all methods share. It
//
// - enters the table of calls, or is refused;
// - runs sequences and passes on their events, one at a time;
// - ends once: when all sequences have, when one fails, when the client
// cancels;
//   then it cancels what still runs;
// - pauses its sequences while the client does not read, and ends if that takes
//   too long (CallLimits);
// - counts as running (metrics, table of calls) until it is destroyed, which is
//   when the front and all sequences have let go of it.
//
// Thread-safe. A front makes one, calls Start of the subclass, and Close at
// last.
class Session : public WatchedCall,
                public std::enable_shared_from_this<Session> {
 public:
  // The client is gone. `reason` is CANCELLED or DEADLINE_EXCEEDED.
  void Cancel(const absl::Status& reason);
  // Some of the output was sent.
  void OnSent();
  // The front is done with the call: the writer is not used any more. Counts
  // and logs the outcome.
  void Close();
  void Watch() override;

 protected:
  // `method` is a literal. The writer lives until Close.
  Session(const SessionContext& context, const char* method, std::string tenant,
          SessionWriter& writer);

  // Enters the table of calls and runs `begin`; ends the call if either fails.
  void Begin(absl::FunctionRef<absl::Status()> begin);
  // Starts the sequences, in order, until one fails. Called once, by `begin`.
  void RunSequences(std::vector<GenerationRequest> requests);

  // The events of the sequence `index`, until the call ends or Stop.
  virtual void OnStarted(int index, const GenerationStarted& started)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  virtual void OnToken(int index, const GeneratedToken& token)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // Without an error. An error that is returned ends the call.
  virtual absl::Status OnFinished(int index, const GenerationFinished& finished)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // The last sequence is over or stopped; the call ends with OK after this.
  virtual void OnAllFinished() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {}

  // No more is wanted of a sequence: it is cancelled, without an error.
  void Stop(int index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Pauses the sequences if much is unsent. Call it after writing.
  void LimitOutput() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Duration Now() const { return context_.clock.Now(); }

  // Constant after construction.
  const SessionContext context_;
  const std::string tenant_;
  const absl::Duration arrived_;

  Mutex mutex_;
  RequestMetrics::Request metrics_ ABSL_GUARDED_BY(mutex_);
  AnswerStarted started_ ABSL_GUARDED_BY(mutex_);

 private:
  class Sink;
  struct Sequence {
    std::shared_ptr<GenerationCall> call;  // None before it was started.
    bool over = false;                     // Its last event has come.
    bool stopped = false;                  // Nothing more is wanted of it.
    bool cancelled = false;                // It was told so.
    bool paused = false;                   // What it was told last.
  };

  void SequenceStarted(int index, const GenerationStarted& started);
  void TokenCame(int index, const GeneratedToken& token);
  void SequenceFinished(int index, absl::StatusOr<GenerationFinished> finished);

  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Abort(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndIfAllFinished() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Tells the sequences what has been decided about them. Not under the lock: a
  // backend may answer at once. If several threads come, one of them does it.
  void Settle() ABSL_LOCKS_EXCLUDED(mutex_);
  void LogOutcome() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const char* const method_;

  CondVar settled_;
  SessionWriter* writer_ ABSL_GUARDED_BY(mutex_);  // Null: closed.
  std::vector<Sequence> sequences_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // The writer was told so.
  absl::Status outcome_ ABSL_GUARDED_BY(mutex_);
  bool aborted_ ABSL_GUARDED_BY(mutex_) = false;
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;
  // Since when the client is to read: the pause, the end, or the last progress.
  absl::Duration waiting_since_ ABSL_GUARDED_BY(mutex_);
  bool unsettled_ ABSL_GUARDED_BY(mutex_) = false;
  bool settling_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
