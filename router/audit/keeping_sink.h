#pragma once

#include <absl/status/status.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/json.h"
#include "common/mutex.h"
#include "router/audit/audit_sink.h"

namespace apollo {

// A sink for tests that keeps the lines, and fails or hangs when told to.
// Thread-safe.
class KeepingSink final : public AuditSink {
 public:
  absl::Status Append(std::string_view lines) override {
    MutexLock lock(mutex_);
    ++appends_;
    changed_.notify_all();
    while (hanging_) changed_.wait(mutex_);
    if (!error_.ok()) return error_;
    text_ += lines;
    return absl::OkStatus();
  }

  // The status of all later writes.
  void Fail(const absl::Status& error) {
    MutexLock lock(mutex_);
    error_ = error;
  }
  // Holds writes up, or lets them go on.
  void Hang(bool on) {
    MutexLock lock(mutex_);
    hanging_ = on;
    changed_.notify_all();
  }
  // Waits until so many writes have begun.
  void AwaitAppends(int count) {
    MutexLock lock(mutex_);
    while (appends_ < count) changed_.wait(mutex_);
  }

  // Returns the lines written so far.
  std::vector<Json> Lines() {
    MutexLock lock(mutex_);
    std::vector<Json> lines;
    for (std::size_t at = 0; at < text_.size();) {
      const std::size_t end = text_.find('\n', at);
      lines.push_back(*ParseJson(std::string_view(text_).substr(at, end - at),
                                 "the audit log"));
      at = end + 1;
    }
    return lines;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::string text_ ABSL_GUARDED_BY(mutex_);
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  bool hanging_ ABSL_GUARDED_BY(mutex_) = false;
  int appends_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace apollo
