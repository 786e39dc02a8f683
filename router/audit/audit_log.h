#pragma once

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstddef>
#include <memory>
#include <thread>
#include <utility>

#include "common/clock.h"
#include "router/audit/audit_counters.h"
#include "router/audit/audit_entry.h"
#include "router/audit/audit_file.h"
#include "router/audit/audit_queue.h"
#include "router/audit/audit_sink.h"

namespace apollo {

// The audit log of a router: who asked for what, without any text. A thread of
// its own writes the entries in their order; those that come while it writes
// are written together, with one fsync.
//
// A call that computes something for a client is let through only after its
// first entry is durable. If an entry cannot be written, or has waited for
// kPatience, the log is *failing*: such calls are refused with UNAVAILABLE, and
// entries of calls that ran already are kept, up to kMostKept of them, with
// those that are being written. Each Tick tries again, and the first line then
// tells how many calls were refused, and how many entries were lost beyond that
// number. Thread-safe.
class AuditLog {
 public:
  static constexpr absl::Duration kPatience = AuditQueue::kPatience;
  // About 30 MB of memory.
  static constexpr std::size_t kMostKept = AuditQueue::kMostKept;
  static constexpr absl::Duration kRetryAfter = AuditQueue::kRetryAfter;

  // Receives OK once an entry is durable, or UNAVAILABLE with a retry hint.
  using Written = AuditQueue::Written;

  // Returns the log in the file, or null if the path is empty. Errors as
  // AuditFile::Open's, naming the flag. The clock must outlive the log.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(
      const AuditFile::Options& options, const Clock& clock);

  // The clock must outlive the log. Starts with "log_opened". `end_patience` is
  // for the destructor.
  AuditLog(std::unique_ptr<AuditSink> sink, const Clock& clock,
           std::size_t dropped_bytes = 0, std::size_t most_kept = kMostKept,
           absl::Duration end_patience = kPatience);
  // Writes what is queued, if possible. No call may be waiting any more. A
  // write that does not return within the patience is left to itself, with the
  // sink, and its entries are logged as lost.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Queues the first entry of a call. Calls `done` once, without holding a
  // lock, from this thread or another one; within kPatience and the time
  // between two Ticks.
  void WriteFirst(const AuditEntry& entry, Written done) {
    queue_->WriteFirst(entry, std::move(done));
  }
  // Queues an entry that nobody waits for. Never blocks. Calls that did not run
  // get only half of the room, so that they cannot push out the ends of those
  // that did.
  void Write(const AuditEntry& entry, bool ran = true) {
    queue_->Write(entry, ran);
  }
  // The same for a call that the policy has refused: queues its entry, or
  // counts it for a line (RefusedCalls).
  void WriteRefused(const AuditEntry& entry) { queue_->WriteRefused(entry); }

  // Tries again, gives up waiting for a file that does not respond, and writes
  // the lines about refused calls that are due. Must be called about once a
  // second.
  void Tick() { queue_->Tick(); }

  // Refuses the calls that wait, and returns once no call is told anything any
  // more. Call it before what they use is destroyed, when no new ones come.
  void LetGo() { queue_->LetGo(); }

  // Waits until all entries so far are written or the log is failing. For
  // tests.
  void Flush() { queue_->Flush(); }

  const AuditCounters& counters() const { return queue_->counters(); }

 private:
  const absl::Duration end_patience_;
  const std::shared_ptr<AuditQueue> queue_;  // Also of the thread.
  std::thread thread_;
};

}  // namespace apollo
