#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>

#include "common/mutex.h"
#include "proto/apollo/internal/v1/generation.grpc.pb.h"
#include "sequence/generation.h"
#include "tracing/trace_context.h"

namespace apollo {

// The gRPC reactor of one sequence that runs on a dense worker. Token indices
// are contiguous: a duplicate is dropped, a gap ends the sequence with
// INTERNAL. The status of a sequence that failed says whether the worker itself
// has given it (sequence/sequence_end.h). Lives until gRPC is done with it.
// Thread-safe.
class RunReactor final
    : public grpc::ClientBidiReactor<internal::v1::RunRequest,
                                     internal::v1::RunEvent>,
      public std::enable_shared_from_this<RunReactor> {
 public:
  // Calls `over` once, after the sink's OnFinished.
  RunReactor(const GenerationRequest& request,
             std::shared_ptr<GenerationSink> sink, std::function<void()> over);

  // Starts the call. Called once. Keeps the stub alive.
  void Begin(std::shared_ptr<internal::v1::DenseWorkerService::Stub> stub);

  // See GenerationCall.
  void Cancel();
  void SetPaused(bool paused);
  // Ends the sequence with this error, without waiting for the worker.
  void Abandon(const absl::Status& error);

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  // Passes the event just read to the sink.
  void Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Cancels the call and records this error of our side, unless there is one.
  void Fail(const absl::Status& error)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(end_mutex_);
  // Returns the outcome of the sequence, given the status of the call.
  absl::StatusOr<GenerationFinished> Result(const grpc::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sends `paused_` to the worker if it has changed and no write is under way.
  void SendPaused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);

  const absl::Duration deadline_;            // GenerationRequest::deadline.
  const std::optional<TraceContext> trace_;  // GenerationRequest::trace.
  std::shared_ptr<internal::v1::DenseWorkerService::Stub> stub_;
  grpc::ClientContext context_;
  const std::function<void()> over_;
  internal::v1::RunEvent event_;  // Being read, or passed to the sink.

  // Serializes the calls of the sink from different gRPC threads. A caller of
  // this class may hold locks of the sink, so only gRPC threads take it.
  Mutex mutex_;
  std::shared_ptr<GenerationSink> sink_ ABSL_GUARDED_BY(mutex_);
  int next_index_ ABSL_GUARDED_BY(mutex_) = 0;
  int next_prompt_index_ ABSL_GUARDED_BY(mutex_) = 1;
  std::optional<GenerationFinished> finished_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<RunReactor> self_ ABSL_GUARDED_BY(mutex_);

  Mutex end_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(end_mutex_) = false;
  absl::Status error_ ABSL_GUARDED_BY(end_mutex_);  // Raised on this side.

  Mutex write_mutex_;
  // The message being written.
  internal::v1::RunRequest message_ ABSL_GUARDED_BY(write_mutex_);
  bool writing_ ABSL_GUARDED_BY(write_mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(write_mutex_) = false;  // Nothing more to read.
  bool paused_ ABSL_GUARDED_BY(write_mutex_) = false;
  bool sent_paused_ ABSL_GUARDED_BY(write_mutex_) = false;
};

}  // namespace apollo
