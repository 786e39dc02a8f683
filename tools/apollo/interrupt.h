#pragma once

#include <grpcpp/client_context.h>

#include "common/mutex.h"

namespace apollo::client {

// Lets one thread (the one that waits for signals) cancel the call that another
// one is making. Thread-safe.
class Interrupt {
 public:
  // While it lives, Cancel() cancels `context`'s call. One at a time. Both must
  // outlive it.
  class Scope {
   public:
    Scope(Interrupt& interrupt, grpc::ClientContext& context);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Interrupt& interrupt_;
  };

  // Cancels the call in progress. False if there is none.
  bool Cancel() ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether Cancel() has cancelled a call since the last time this was asked.
  bool TakeCancelled() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

// Starts a thread that lives as long as the process: SIGINT cancels the call in
// progress; without one, or the second time, it ends the process with code 130.
// Call it before any other thread exists. `interrupt` must live for ever.
void CancelOnSigint(Interrupt& interrupt);

}  // namespace apollo::client
