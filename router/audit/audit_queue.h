#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "router/audit/audit_counters.h"
#include "router/audit/audit_entry.h"
#include "router/audit/audit_sink.h"
#include "router/audit/refused_calls.h"

namespace apollo {

// The entries of an audit log on their way to its sink, which a thread serves;
// see AuditLog, which forwards its functions to this. The thread shares the
// ownership, since a write may never return. Thread-safe.
class AuditQueue {
 public:
  static constexpr absl::Duration kPatience = absl::Seconds(5);
  static constexpr std::size_t kMostKept = 65'536;
  static constexpr absl::Duration kRetryAfter = absl::Seconds(1);

  using Written = std::function<void(const absl::Status&)>;

  // The clock must outlive the end of Serve, or a Stop that returned false.
  AuditQueue(std::unique_ptr<AuditSink> sink, const Clock& clock,
             std::size_t dropped_bytes, std::size_t most_kept);

  void WriteFirst(const AuditEntry& entry, Written done);
  void Write(const AuditEntry& entry, bool ran);
  void WriteRefused(const AuditEntry& entry);
  void Tick();
  void LetGo();
  void Flush();
  const AuditCounters& counters() const { return counters_; }

  // Writes entries until Stop. For the thread.
  void Serve();

  // Makes Serve write what is queued, and return. Returns false, and logs how
  // many entries are lost, if it has not returned after `patience`; then it
  // will return after the write that is under way, without using the clock.
  bool Stop(absl::Duration patience);

 private:
  struct Line {
    std::string text;
    Written done;  // Null if nobody waits any more.
  };
  using Calls = std::vector<Written>;

  // Queues a line that nobody waits for, or counts it as lost if there are
  // `most` lines already, with those that are being written.
  void Push(std::string text, std::size_t most)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Queues a line for each of them.
  void Push(const std::vector<RefusedCalls::Summary>& summaries)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns true if the thread has something to do.
  bool Due() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Waits for lines and moves them to `writing_`. Returns their text, and sets
  // `stopping` if these are the last.
  std::string AwaitBatch(bool& stopping);
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
  RefusedCalls refused_calls_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;  // A write is under way.
  absl::Duration busy_since_ ABSL_GUARDED_BY(mutex_);
  bool telling_calls_ ABSL_GUARDED_BY(mutex_) = false;  // The thread is.
  bool probing_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;    // Serve ends.
  bool abandoned_ ABSL_GUARDED_BY(mutex_) = false;  // Nobody waits for that.
  // What the next line about a failure tells, and whether the current write
  // has such a line.
  std::int64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t lost_ ABSL_GUARDED_BY(mutex_) = 0;
  bool telling_ ABSL_GUARDED_BY(mutex_) = false;
  // The part of these that the current write tells.
  std::int64_t refused_told_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t lost_told_ ABSL_GUARDED_BY(mutex_) = 0;
  AuditCounters counters_;  // Written under the lock.
};

}  // namespace apollo
