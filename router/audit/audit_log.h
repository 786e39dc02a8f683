#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "router/audit/audit_counters.h"
#include "router/audit/audit_entry.h"
#include "router/audit/audit_file.h"
#include "router/audit/audit_sink.h"

namespace apollo {

// The audit log of a router: who asked for what, without any text. A thread of
// its own writes the entries in their order; those that come while it writes
// are written together, with one fsync.
//
// A call that computes something for a client is let through only after its
// first entry is durable. If an entry cannot be written, or has waited for
// kPatience, the log is *failing*: such calls are refused with UNAVAILABLE, and
// entries of calls that ran already are kept, up to kMostKept of them. Each
// Tick tries again, and the first line then tells how many calls were refused,
// and how many entries were lost beyond that number. Thread-safe.
class AuditLog {
 public:
  static constexpr absl::Duration kPatience = absl::Seconds(5);
  // About 30 MB of memory.
  static constexpr std::size_t kMostKept = 65'536;
  static constexpr absl::Duration kRetryAfter = absl::Seconds(1);

  // Receives OK once an entry is durable, or UNAVAILABLE with a retry hint.
  using Written = std::function<void(const absl::Status&)>;

  // Returns the log in the file, or null if the path is empty. Errors as
  // AuditFile::Open's, naming the flag. The clock must outlive the log.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(
      const AuditFile::Options& options, const Clock& clock);

  // The clock must outlive the log. Starts with "log_opened".
  AuditLog(std::unique_ptr<AuditSink> sink, const Clock& clock,
           std::size_t dropped_bytes = 0, std::size_t most_kept = kMostKept);
  // Writes what is queued, if possible. No call may be waiting any more.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Queues the first entry of a call. Calls `done` once, without holding a
  // lock, from this thread or another one; within kPatience and the time
  // between two Ticks.
  void WriteFirst(const AuditEntry& entry, Written done);
  // Queues an entry that nobody waits for. Never blocks. Calls that did not run
  // get only half of the room, so that strangers cannot push out the ends of
  // those that did.
  void Write(const AuditEntry& entry, bool ran = true);

  // Tries again, and gives up waiting for a file that does not respond. Must be
  // called about once a second.
  void Tick();

  // Refuses the calls that wait, and returns once no call is told anything any
  // more. Call it before what they use is destroyed, when no new ones come.
  void LetGo();

  // Waits until all entries so far are written or the log is failing. For
  // tests.
  void Flush();

  const AuditCounters& counters() const { return counters_; }

 private:
  struct Line {
    std::string text;
    Written done;  // Null if nobody waits any more.
  };
  using Calls = std::vector<Written>;

  void Run();
  // Returns true if the thread has something to do.
  bool Due() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Moves the queued lines to `writing_` and returns their text.
  std::string TakeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Handles the end of a write, and returns the calls that are to be told.
  Calls EndBatch(const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Starts to fail, with one line in the process's own log. Returns the calls
  // that wait: they are refused, and their lines are dropped.
  Calls Fail(const absl::Status& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The second part of this.
  Calls Refuse() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<AuditSink> sink_;  // Used by the thread.
  const Clock& clock_;
  const std::size_t most_kept_;

  Mutex mutex_;
  CondVar changed_;
  std::deque<Line> queue_ ABSL_GUARDED_BY(mutex_);
  std::deque<Line> writing_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;  // A write is under way.
  absl::Duration busy_since_ ABSL_GUARDED_BY(mutex_);
  bool telling_calls_ ABSL_GUARDED_BY(mutex_) = false;  // The thread is.
  bool probing_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // What the next line about a failure tells, and whether the current write
  // has such a line.
  std::int64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t lost_ ABSL_GUARDED_BY(mutex_) = 0;
  bool telling_ ABSL_GUARDED_BY(mutex_) = false;
  // The part of these that the current write tells.
  std::int64_t refused_told_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t lost_told_ ABSL_GUARDED_BY(mutex_) = 0;
  AuditCounters counters_;  // Written under the lock.
  std::thread thread_;
};

}  // namespace apollo
