#pragma once

#include <absl/time/time.h>
#include <grpcpp/client_context.h>

#include <condition_variable>
#include <mutex>
#include <vector>

namespace apollo::clients {

// Ends calls from another thread: all that were given this object, now and
// later. Thread-safe. Must outlive the calls.
class Cancellation {
 public:
  // The calls end with CANCELLED.
  void Cancel();
  bool cancelled() const;

  // For Client: waits; returns false, at once, if cancelled.
  bool Pause(absl::Duration time);

  // For Client: a call that is cancelled too, while this object exists.
  class Scope {
   public:
    // `cancellation` may be null.
    Scope(Cancellation* cancellation, grpc::ClientContext* context);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Cancellation* const cancellation_;
    grpc::ClientContext* const context_;
  };

 private:
  // Of the standard library: ThreadSanitizer cannot see into absl::Mutex.
  mutable std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  bool cancelled_ = false;
  std::vector<grpc::ClientContext*> calls_;
};

}  // namespace apollo::clients
