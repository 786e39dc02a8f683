#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <string>

#include "common/clock.h"
#include "common/mutex.h"

namespace apollo {

// Writes to the log which calls failed: for each code at most one line a
// second, with the number of calls since the line before, however many are
// refused. Thread-safe; never writes under its own lock.
class FailureLog {
 public:
  // The clock must outlive it.
  explicit FailureLog(const Clock& clock) : clock_(clock) {}
  // Writes what it still holds.
  ~FailureLog();
  FailureLog(const FailureLog&) = delete;
  FailureLog& operator=(const FailureLog&) = delete;

  // A call of the method ended with the error. Its line comes at once unless
  // the last one of this code is less than a second old.
  void Report(const char* method, const std::string& request_id,
              const absl::Status& error);

  // Writes the lines that are due. To be called about once a second: the last
  // calls of a burst are not held for longer than that.
  void WriteDue();

 private:
  struct Line {
    std::int64_t calls = 0;  // Since the last line. The rest is the latest's.
    const char* method = "";
    std::string request_id;
    std::string reason;
    absl::Duration written = -absl::InfiniteDuration();
  };
  static void Write(absl::StatusCode code, const Line& line);

  const Clock& clock_;

  Mutex mutex_;
  std::map<absl::StatusCode, Line> lines_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
