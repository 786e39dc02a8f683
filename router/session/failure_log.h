#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <string>

#include "common/clock.h"
#include "common/mutex.h"

namespace apollo {

// Logs calls that did not end with OK: a line for each, "request_cancelled" or
// "request_failed", but at most kLines a second for each status code. The next
// line then counts the calls without a line of their own, too. Lines about what
// a client did itself (CANCELLED, INVALID_ARGUMENT) are of level info, others
// warnings. Thread-safe; never writes under its own lock.
class FailureLog {
 public:
  static constexpr int kLines = 20;

  // The clock must outlive the log.
  explicit FailureLog(const Clock& clock) : clock_(clock) {}
  // Writes all pending lines.
  ~FailureLog();
  FailureLog(const FailureLog&) = delete;
  FailureLog& operator=(const FailureLog&) = delete;

  // Reports the end of a call of the method. `error` is not OK. `trace_id`:
  // empty unless the call is traced.
  void Report(const char* method, const std::string& request_id,
              const absl::Status& error, const std::string& trace_id = "");

  // Writes the lines that are due. Must be called about once a second, so that
  // the last calls of a burst are logged in time.
  void WriteDue();

 private:
  struct Line {
    std::int64_t calls = 0;  // Since the last line.
    // Of the latest call.
    const char* method = "";
    std::string request_id;
    std::string reason;
    std::string trace_id;
    // The lines written within the second that began at `second`.
    absl::Duration second = -absl::InfiniteDuration();
    int written = 0;
  };
  // Returns true, and counts the line, if one may be written now.
  static bool MayWrite(Line& line, absl::Duration now);
  static void Write(absl::StatusCode code, const Line& line);

  const Clock& clock_;

  Mutex mutex_;
  std::map<absl::StatusCode, Line> lines_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
