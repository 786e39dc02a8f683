#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "router/session/failure_log.h"

namespace apollo {

// Limits on the resources that clients can make a router hold.
struct CallLimits {
  int max_calls = 1024;
  // Unsent output of one call, in bytes, at which its sequences pause; they
  // resume at half of it. The default is 30 s of 8 answers of 40 tokens a
  // second.
  std::int64_t output_bytes = 1 << 20;
  // Time without a read by the client after which a paused or finished call is
  // aborted.
  absl::Duration stalled_client_timeout = absl::Seconds(60);
};

class CallTable;

// A call that a CallTable watches until the call has been destroyed.
class WatchedCall {
 public:
  explicit WatchedCall(CallTable& table) : table_(table) {}
  virtual ~WatchedCall();
  WatchedCall(const WatchedCall&) = delete;
  WatchedCall& operator=(const WatchedCall&) = delete;
  // Ends the call if its client has read nothing for too long. Any thread.
  virtual void Watch() = 0;
  // Ends the call with the error, unless it has ended. Any thread.
  virtual void Cancel(const absl::Status& reason) = 0;

 private:
  CallTable& table_;
};

// The running calls of a router, from any front: admits calls up to a limit and
// ends those whose clients do not read. Thread-safe.
class CallTable {
 public:
  // Longer than any backend takes to release cancelled sequences.
  static constexpr absl::Duration kPatience = absl::Seconds(10);

  // The clock must outlive the table. `patience`: see the destructor.
  CallTable(const CallLimits& limits, const Clock& clock,
            absl::Duration patience = kPatience)
      : limits_(limits), patience_(patience), failures_(clock) {}
  // Waits for at most `patience` until all calls have been destroyed: a backend
  // may release cancelled sequences with a delay. Everything that calls use
  // must outlive the table.
  ~CallTable();
  CallTable(const CallTable&) = delete;
  CallTable& operator=(const CallTable&) = delete;

  // Admits a call, which then counts as running until it has been destroyed.
  // Returns RESOURCE_EXHAUSTED if max_calls are running, and UNAVAILABLE after
  // TurnAway.
  absl::Status Enter(const std::shared_ptr<WatchedCall>& call);

  // Admits no call any more.
  void TurnAway();
  bool turns_away();

  // Ends the calls whose clients have read nothing for too long, and writes
  // the log lines that are due. Must be called about once a second.
  void Tick();

  // Returns the calls that are running.
  int running();
  // Ends all of them with the error, which their clients get.
  void CancelAll(const absl::Status& reason);

  const CallLimits& limits() const { return limits_; }
  FailureLog& failures() { return failures_; }

 private:
  friend class WatchedCall;
  void Leave(WatchedCall* call);
  // Returns the calls that have not been destroyed.
  std::vector<std::shared_ptr<WatchedCall>> Calls();

  const CallLimits limits_;
  const absl::Duration patience_;
  FailureLog failures_;

  Mutex mutex_;
  CondVar left_;
  std::map<WatchedCall*, std::weak_ptr<WatchedCall>> calls_
      ABSL_GUARDED_BY(mutex_);
  bool turns_away_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
