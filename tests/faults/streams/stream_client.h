#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>

#include "common/mutex.h"
#include "tests/faults/streams/stream_plan.h"
#include "tests/faults/streams/transcript.h"

namespace apollo {

// A call in progress that another thread may cancel. Thread-safe.
class Cancellation {
 public:
  // Cancels the current call and all later ones.
  void Cancel();
  bool cancelled() const;

 private:
  friend class CancellableCall;
  mutable Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

// Binds the context of a call to a Cancellation for its own lifetime.
class CancellableCall {
 public:
  CancellableCall(Cancellation& cancellation, grpc::ClientContext& context);
  ~CancellableCall();
  CancellableCall(const CancellableCall&) = delete;
  CancellableCall& operator=(const CancellableCall&) = delete;

 private:
  Cancellation& cancellation_;
};

// A way to run streams: the seam at which the scenarios take another client.
// Thread-safe.
class StreamClient {
 public:
  // Called after each event that has been added to the transcript.
  using Observer = std::function<void(const Transcript&)>;

  virtual ~StreamClient() = default;
  // Runs the plan's request to its end, and records it. The deadline of the
  // call is `deadline`, in the time of Now().
  virtual void Run(const StreamPlan& plan, absl::Duration deadline,
                   Cancellation& cancellation, const Observer& observer,
                   Transcript& transcript) = 0;
};

}  // namespace apollo
