#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <memory>

#include "common/clock.h"
#include "common/mutex.h"
#include "router/session/failure_log.h"

namespace apollo {

// Bounds of what the clients of a router can make it hold.
struct CallLimits {
  int max_calls = 1024;
  // Unsent output of one call at which its sequences pause; they go on below
  // half of it. The default is 30 s of 8 answers of 40 tokens a second.
  std::int64_t output_bytes = 1 << 20;
  // How long a call whose client reads nothing stays paused before it ends.
  absl::Duration stalled_client_timeout = absl::Seconds(60);
};

class CallTable;

// A call that a CallTable looks after, until it has been destroyed whole.
class WatchedCall {
 public:
  explicit WatchedCall(CallTable& table) : table_(table) {}
  virtual ~WatchedCall();
  WatchedCall(const WatchedCall&) = delete;
  WatchedCall& operator=(const WatchedCall&) = delete;
  // Ends the call if its client has read nothing for too long. Any thread.
  virtual void Watch() = 0;

 private:
  CallTable& table_;
};

// The calls of a router that run, by whatever front they came: admits them up
// to a bound and looks after those whose clients do not read. Thread-safe.
class CallTable {
 public:
  // Longer than any backend takes to let go of what was cancelled.
  static constexpr absl::Duration kPatience = absl::Seconds(10);

  // The clock must outlive it. `patience`: see the destructor.
  CallTable(const CallLimits& limits, const Clock& clock,
            absl::Duration patience = kPatience)
      : limits_(limits), patience_(patience), failures_(clock) {}
  // Waits until the last call has left, but not beyond the patience: a backend
  // may let go of cancelled sequences a little later. What calls use must
  // outlive the table.
  ~CallTable();
  CallTable(const CallTable&) = delete;
  CallTable& operator=(const CallTable&) = delete;

  // RESOURCE_EXHAUSTED if as many run as may. Else the call counts until it has
  // been destroyed.
  absl::Status Enter(const std::shared_ptr<WatchedCall>& call);

  // Ends the calls whose clients have read nothing for too long, and writes
  // what is due to the log. To be called about once a second.
  void Tick();

  const CallLimits& limits() const { return limits_; }
  FailureLog& failures() { return failures_; }

 private:
  friend class WatchedCall;
  void Leave(WatchedCall* call);

  const CallLimits limits_;
  const absl::Duration patience_;
  FailureLog failures_;

  Mutex mutex_;
  CondVar left_;
  std::map<WatchedCall*, std::weak_ptr<WatchedCall>> calls_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
