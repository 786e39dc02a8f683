#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <string>

#include "common/clock.h"
#include "common/mutex.h"

namespace apollo {

// Logs failed calls: at most one line a second for each status code, with the
// number of calls since the previous line. Thread-safe; never writes under its
// own lock.
class FailureLog {
 public:
  // The clock must outlive the log.
  explicit FailureLog(const Clock& clock) : clock_(clock) {}
  // Writes all pending lines.
  ~FailureLog();
  FailureLog(const FailureLog&) = delete;
  FailureLog& operator=(const FailureLog&) = delete;

  // Reports that a call of the method failed. Writes a line immediately unless
  // the last one with this code is less than a second old.
  void Report(const char* method, const std::string& request_id,
              const absl::Status& error);

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
    // Time of the last line.
    absl::Duration written = -absl::InfiniteDuration();
  };
  static void Write(absl::StatusCode code, const Line& line);

  const Clock& clock_;

  Mutex mutex_;
  std::map<absl::StatusCode, Line> lines_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
