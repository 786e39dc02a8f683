#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <vector>

#include "common/mutex.h"

namespace apollo::client {

// Lets one thread (which waits for signals) cancel the calls in progress of
// another. Thread-safe.
class Interrupt {
 public:
  // Registers the calls of contexts for Cancel() during its lifetime. One scope
  // at a time. All arguments must outlive it.
  class Scope {
   public:
    Scope(Interrupt& interrupt, grpc::ClientContext& context)
        : Scope(interrupt, std::vector<grpc::ClientContext*>{&context}) {}
    Scope(Interrupt& interrupt, std::vector<grpc::ClientContext*> contexts);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Interrupt& interrupt_;
  };

  // Cancels the calls or the pause in progress. Returns false if there is none,
  // unless KeepRunning or RememberCancel has been called.
  bool Cancel() ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes later calls of Cancel without a call in progress do nothing.
  void KeepRunning() ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes the first later call of Cancel final, whether or not there is a call
  // in progress: all calls that begin after it are cancelled, and all pauses
  // end.
  void RememberCancel() ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits for that time. Returns false immediately when Cancel() is called, or
  // if it has been called since the last Scope began.
  bool Pause(std::chrono::milliseconds time) ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns true if Cancel() has been called since the last Scope began, or was
  // final.
  bool cancelled() ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns true if Cancel() has cancelled a call or pause since the previous
  // call of this function.
  bool TakeCancelled() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  std::vector<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mutex_);
  CondVar changed_;
  bool pausing_ ABSL_GUARDED_BY(mutex_) = false;
  bool keep_running_ ABSL_GUARDED_BY(mutex_) = false;
  bool remember_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

// Starts a thread that lives as long as the process. SIGINT cancels the call in
// progress; if Cancel returns false, it ends the process with code 130.
// Must be called before any other thread exists. `interrupt` must live as long
// as the process.
void CancelOnSigint(Interrupt& interrupt);

}  // namespace apollo::client
