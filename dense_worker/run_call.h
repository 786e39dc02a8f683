#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>

#include "common/clock.h"
#include "common/mutex.h"
#include "dense_worker/run_limits.h"
#include "proto/apollo/internal/v1/generation.pb.h"
#include "sequence/generation.h"
#include "serving/metrics.h"
#include "serving/queued_writer.h"

namespace apollo {

// One Run of a router: starts the sequence that the first message asks for and
// writes its events to the router. Made for each call; lives until gRPC and the
// sequence are done with it.
//
// Events that the router has not taken are bounded by RunLimits; a few tokens
// that were under way still come. See EndIfStalled.
class RunCall final
    : public QueuedWriter<internal::v1::RunEvent,
                          grpc::ServerBidiReactor<internal::v1::RunRequest,
                                                  internal::v1::RunEvent>>,
      public std::enable_shared_from_this<RunCall> {
 public:
  // The context is gRPC's for the call; the others must outlive it.
  RunCall(grpc::CallbackServerContext& context, GenerationBackend& backend,
          RequestMetrics& metrics, const Clock& clock, const RunLimits& limits);
  // Reads the request, and keeps itself until the call is over.
  void Begin();

  // Ends a call that has rested for too long because the router takes nothing:
  // the router sees CANCELLED, if it looks at all. Any thread.
  void EndIfStalled();

 private:
  class Sink;

  void OnReadDone(bool ok) override;
  void OnCancel() override;
  void OnWritten() override;
  void Over() override;

  void StartSequence();
  // Makes the sequence rest if the router or the queue wants that.
  void UpdatePaused() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Queues the event, and makes the sequence rest if the queue is full.
  void Send(internal::v1::RunEvent event);

  grpc::CallbackServerContext& context_;  // Not after Over.
  GenerationBackend& backend_;
  const Clock& clock_;
  const RunLimits limits_;
  // Of the read under way, or being taken.
  internal::v1::RunRequest message_;
  bool begun_ = false;  // The request has come. Only for reads.

  Mutex mutex_;
  RequestMetrics::Request metrics_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<GenerationCall> call_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool paused_by_router_ ABSL_GUARDED_BY(mutex_) = false;
  // Since when the queue is full.
  std::optional<absl::Duration> full_ ABSL_GUARDED_BY(mutex_);
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;  // As the sequence was told.
  bool stalled_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<RunCall> self_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
