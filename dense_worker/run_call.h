#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/clock.h"
#include "common/log_budget.h"
#include "common/mutex.h"
#include "dense_worker/run_limits.h"
#include "dense_worker/run_trace.h"
#include "proto/apollo/internal/v1/generation.pb.h"
#include "sequence/generation.h"
#include "serving/metrics.h"
#include "serving/queued_writer.h"
#include "tracing/tracer.h"

namespace apollo {

// The budgets of the lines about ends of sequences. Failures have one of their
// own, so that they are seen among many answers.
struct RunLines {
  explicit RunLines(const Clock& clock) : finished(clock), failed(clock) {}
  LogBudget finished;  // Or cancelled.
  LogBudget failed;
};

// One call of Run: starts the sequence of the first message and writes its
// events to the router. Lives until gRPC and the sequence have finished with
// it.
//
// RunLimits bounds the events that the router has not read, except for a few
// tokens in flight. See EndIfStalled.
class RunCall final
    : public QueuedWriter<internal::v1::RunEvent,
                          grpc::ServerBidiReactor<internal::v1::RunRequest,
                                                  internal::v1::RunEvent>>,
      public std::enable_shared_from_this<RunCall> {
 public:
  // `context` is gRPC's context of the call. The others must outlive the call.
  // The end of the sequence is logged with its request id, within `lines`. The
  // call is traced below its router's span; never if `tracer` is null.
  RunCall(grpc::CallbackServerContext& context, GenerationBackend& backend,
          RequestMetrics& metrics, const Clock& clock, const RunLimits& limits,
          RunLines& lines, Tracer* tracer);
  // Reads the request. The object keeps itself alive until the call has ended.
  void Begin();

  // Ends a call that has been paused for too long because the router reads
  // nothing. The router sees CANCELLED if it reads again. Any thread.
  void EndIfStalled();

 private:
  class Sink;

  void OnReadDone(bool ok) override;
  void OnCancel() override;
  void OnWritten() override;
  void Over() override;

  void StartSequence();
  // Ends the call with the status, and tells the router that the worker has
  // given it (link/run_end.h).
  void EndWith(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Counts an answer that is complete.
  void CountAnswer(FinishCause cause) ABSL_LOCKS_EXCLUDED(mutex_);
  // Counts and logs the end of the sequence.
  void Count(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Pauses the sequence if the router wants that or the queue is full.
  void UpdatePaused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Queues the event, and pauses the sequence if the queue is full.
  void Send(internal::v1::RunEvent event);

  grpc::CallbackServerContext& context_;  // Invalid after Over.
  GenerationBackend& backend_;
  const Clock& clock_;
  const RunLimits limits_;
  RunLines& lines_;
  Tracer* const tracer_;
  const absl::Duration arrived_;
  // The message being read or handled.
  internal::v1::RunRequest message_;
  bool begun_ = false;  // The request has arrived. Used by reads only.

  Mutex mutex_;
  RequestMetrics::Request metrics_ ABSL_GUARDED_BY(mutex_);
  std::string request_id_ ABSL_GUARDED_BY(mutex_);
  int prompt_tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<RunTrace> trace_ ABSL_GUARDED_BY(mutex_);  // Null: none.
  std::string expert_worker_ ABSL_GUARDED_BY(mutex_);
  std::int64_t tokens_ ABSL_GUARDED_BY(mutex_) = 0;  // Sent.
  std::shared_ptr<GenerationCall> call_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool paused_by_router_ ABSL_GUARDED_BY(mutex_) = false;
  // The time when the queue became full.
  std::optional<absl::Duration> full_ ABSL_GUARDED_BY(mutex_);
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;  // As last set on the sequence.
  bool stalled_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<RunCall> self_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
