#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/log_budget.h"
#include "common/mutex.h"
#include "router/failover/failover_metrics.h"
#include "router/failover/reissue_policy.h"
#include "router/worker_pool.h"
#include "sequence/generation.h"
#include "tracing/span.h"
#include "tracing/tracer.h"

namespace apollo {

class FailoverCall;

// The parts of a router that the sequences of a FailoverBackend share. All must
// outlive them.
struct FailoverContext {
  WorkerPool& pool;
  FailoverMetrics& metrics;
  const Clock& clock;
  LogBudget& lines;
  ReissuePolicy::Limits limits;
  // Makes somebody call Retry of the call at that time or later, from any
  // thread, but not within this function.
  std::function<void(std::shared_ptr<FailoverCall>, absl::Duration)> later;
  Tracer* tracer = nullptr;  // Null: attempts are not traced.
};

// One sequence that survives its dense workers. It keeps the request and the
// tokens that its sink has received, and if a worker does not complete the
// sequence, runs it again on another one, as ReissuePolicy decides. The sink
// sees one sequence: one start, that on the first worker, and each event once.
//
// - A continuation gets all received tokens but the last (answer_tokens), so
//   that the worker computes the last one again: a worker that gives another
//   token must not go on. It also lets an answer end that lacked only its end.
// - Once the sink has something that depends on numerics, only workers with the
//   same ones go on. The start that it was told is such a thing, because it
//   names them. If the sequences of a request share their numerics, the first
//   start settles them, and a worker with others does not go on.
// - A continuation computes all rows again, so that the use of experts that it
//   reports is that of the whole sequence, as if nothing had been lost.
// - Scores come at the end, so a scored sequence begins anew.
//
// Each attempt on a worker is a span of its own, if the request is traced.
//
// One attempt runs at a time, so the events of the sink are serialized without
// a lock. Thread-safe.
class FailoverCall final : public std::enable_shared_from_this<FailoverCall> {
 public:
  FailoverCall(const FailoverContext& context, GenerationRequest request,
               std::shared_ptr<GenerationSink> sink);

  // Starts the first attempt. Called once.
  void Begin();
  // Starts the next attempt, if one is due.
  void Retry();

  // See GenerationCall.
  void Cancel();
  void SetPaused(bool paused);

 private:
  class Attempt;
  enum class State { kRunning, kWaiting, kOver };

  // The events of the current attempt.
  void Started(const GenerationStarted& started);
  void PromptCame(const PromptLogprobs& prompt);
  void TokenCame(const GeneratedToken& token);
  void Ended(absl::StatusOr<GenerationFinished> finished);

  // Runs an attempt with the request.
  void Run(GenerationRequest request, std::uint64_t number);
  GenerationRequest NextRequest() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns true if the sink has something that depends on numerics.
  bool Bound() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns true if a worker with these numerics may run the sequence. The
  // first to start settles those of all sequences of the request.
  bool Fits(const std::optional<SequenceNumerics>& numerics)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Keeps the call of an attempt that has ended, and returns the one that need
  // not be kept any more, or null.
  std::shared_ptr<GenerationCall> Keep(std::shared_ptr<GenerationCall> ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends the attempt with this error instead of its own.
  void Disown(absl::Status error) ABSL_LOCKS_EXCLUDED(mutex_);
  // Notes an event that the sink has not had before: the sequence goes on.
  void WentOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Decides what follows an attempt that failed. Returns the end of the
  // sequence, or nullopt if it is run again.
  std::optional<absl::Status> JudgeEnd(const absl::Status& error)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LogReissue(const ReissuePolicy::Verdict& verdict,
                  const absl::Status& error) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Begin and end the span of an attempt, if the request is traced; the request
  // then runs below it.
  void BeginAttemptSpan(GenerationRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndAttemptSpan(absl::StatusCode code)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const FailoverContext context_;
  const GenerationRequest request_;

  Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kRunning;
  std::shared_ptr<GenerationSink> sink_ ABSL_GUARDED_BY(mutex_);
  ReissuePolicy policy_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;

  // What the sink has.
  bool told_started_ ABSL_GUARDED_BY(mutex_) = false;
  int prompt_next_ ABSL_GUARDED_BY(mutex_) = 1;  // Position, without a gap.
  std::vector<std::int32_t> tokens_ ABSL_GUARDED_BY(mutex_);
  std::optional<SequenceNumerics> numerics_ ABSL_GUARDED_BY(mutex_);

  // The current attempt.
  std::uint64_t number_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string worker_ ABSL_GUARDED_BY(mutex_);  // Empty: none was found.
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  bool confirmed_ ABSL_GUARDED_BY(mutex_) = true;  // The last token came again.
  absl::Status disowned_ ABSL_GUARDED_BY(mutex_);
  std::optional<Span> span_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<GenerationCall> call_ ABSL_GUARDED_BY(mutex_);

  // The first loss since the sink's last event, and its time.
  struct Loss {
    ReissueCause cause;
    absl::Duration time;
  };
  std::optional<Loss> loss_ ABSL_GUARDED_BY(mutex_);
  // It has been run again after a worker had it.
  bool reissued_ ABSL_GUARDED_BY(mutex_) = false;

  // Workers that the next attempt avoids.
  std::set<std::string> avoid_ ABSL_GUARDED_BY(mutex_);
  // Of the last attempts: a call may not be destroyed within its last event.
  // An attempt begins within that of the one before at the earliest.
  static constexpr std::size_t kKept = 2;
  std::deque<std::shared_ptr<GenerationCall>> earlier_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
