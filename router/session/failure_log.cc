#include "router/session/failure_log.h"

#include <utility>
#include <vector>

#include "common/log.h"

namespace apollo {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(1);

}  // namespace

FailureLog::~FailureLog() {
  MutexLock lock(mutex_);
  for (const auto& [code, line] : lines_) {
    if (line.calls > 0) Write(code, line);
  }
}

void FailureLog::Report(const char* method, const std::string& request_id,
                        const absl::Status& error) {
  const absl::Duration now = clock_.Now();
  Line due;
  {
    MutexLock lock(mutex_);
    Line& line = lines_[error.code()];
    ++line.calls;
    line.method = method;
    line.request_id = request_id;
    line.reason = std::string(error.message());
    if (now - line.written < kInterval) return;
    due = line;
    line.calls = 0;
    line.written = now;
  }
  Write(error.code(), due);
}

void FailureLog::WriteDue() {
  const absl::Duration now = clock_.Now();
  std::vector<std::pair<absl::StatusCode, Line>> due;
  {
    MutexLock lock(mutex_);
    for (auto& [code, line] : lines_) {
      if (line.calls == 0 || now - line.written < kInterval) continue;
      due.emplace_back(code, line);
      line.calls = 0;
      line.written = now;
    }
  }
  for (const auto& [code, line] : due) Write(code, line);
}

void FailureLog::Write(absl::StatusCode code, const Line& line) {
  LogWarning("request_failed", {{"request_id", line.request_id},
                                {"method", line.method},
                                {"code", absl::StatusCodeToString(code)},
                                {"reason", line.reason},
                                {"requests", line.calls}});
}

}  // namespace apollo
