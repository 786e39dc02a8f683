#pragma once

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <optional>

#include "common/mutex.h"
#include "proto/apollo/internal/v1/generation.grpc.pb.h"
#include "sequence/generation.h"

namespace apollo {

// One sequence that runs at a dense worker, as gRPC sees it. Tokens come with
// contiguous indices: a duplicate is dropped, a gap ends the sequence with
// INTERNAL. Lives until gRPC is done with it. Thread-safe.
class RunReactor final
    : public grpc::ClientBidiReactor<internal::v1::RunRequest,
                                     internal::v1::RunEvent>,
      public std::enable_shared_from_this<RunReactor> {
 public:
  // `over` is called once, after the sink's OnFinished.
  RunReactor(const GenerationRequest& request,
             std::shared_ptr<GenerationSink> sink, std::function<void()> over);

  // Once. The stub lives as long as this.
  void Begin(std::shared_ptr<internal::v1::DenseWorkerService::Stub> stub);

  // As GenerationCall's.
  void Cancel();
  void SetPaused(bool paused);
  // Ends the sequence with this error, whatever the worker does.
  void Abandon(const absl::Status& error);

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  void Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends the call with this error of ours, unless it has one.
  void Fail(const absl::Status& error)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(end_mutex_);
  // How the sequence ended, now that the call is over.
  absl::StatusOr<GenerationFinished> Result(const grpc::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SayPaused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_);

  std::shared_ptr<internal::v1::DenseWorkerService::Stub> stub_;
  grpc::ClientContext context_;
  const std::function<void()> over_;
  internal::v1::RunEvent event_;  // Of the read under way, or being taken.

  // Held while the sink is called, so that what different threads of gRPC do
  // comes one at a time. Whoever calls this may hold locks of the sink's, so
  // only gRPC's threads take it.
  Mutex mutex_;
  std::shared_ptr<GenerationSink> sink_ ABSL_GUARDED_BY(mutex_);
  int next_index_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<GenerationFinished> finished_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<RunReactor> self_ ABSL_GUARDED_BY(mutex_);

  Mutex end_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(end_mutex_) = false;
  absl::Status error_ ABSL_GUARDED_BY(end_mutex_);  // Not OK: of this side.

  Mutex write_mutex_;
  // Of the write under way.
  internal::v1::RunRequest message_ ABSL_GUARDED_BY(write_mutex_);
  bool writing_ ABSL_GUARDED_BY(write_mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(write_mutex_) = false;  // Nothing more to read.
  bool paused_ ABSL_GUARDED_BY(write_mutex_) = false;
  bool said_paused_ ABSL_GUARDED_BY(write_mutex_) = false;  // To the worker.
};

}  // namespace apollo
