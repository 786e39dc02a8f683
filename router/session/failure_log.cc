#include "router/session/failure_log.h"

#include <utility>
#include <vector>

#include "common/log.h"

namespace apollo {

FailureLog::~FailureLog() {
  MutexLock lock(mutex_);
  for (const auto& [code, line] : lines_) {
    if (line.calls > 0) Write(code, line);
  }
}

bool FailureLog::MayWrite(Line& line, absl::Duration now) {
  if (now - line.second >= absl::Seconds(1)) {
    line.second = now;
    line.written = 0;
  }
  if (line.written >= kLines) return false;
  ++line.written;
  return true;
}

void FailureLog::Report(const char* method, const std::string& request_id,
                        const absl::Status& error,
                        const std::string& trace_id) {
  const absl::Duration now = clock_.Now();
  Line due;
  {
    MutexLock lock(mutex_);
    Line& line = lines_[error.code()];
    ++line.calls;
    line.method = method;
    line.request_id = request_id;
    line.reason = std::string(error.message());
    line.trace_id = trace_id;
    if (!MayWrite(line, now)) return;
    due = line;
    line.calls = 0;
  }
  Write(error.code(), due);
}

void FailureLog::WriteDue() {
  const absl::Duration now = clock_.Now();
  std::vector<std::pair<absl::StatusCode, Line>> due;
  {
    MutexLock lock(mutex_);
    for (auto& [code, line] : lines_) {
      if (line.calls == 0 || !MayWrite(line, now)) continue;
      due.emplace_back(code, line);
      line.calls = 0;
    }
  }
  for (const auto& [code, line] : due) Write(code, line);
}

void FailureLog::Write(absl::StatusCode code, const Line& line) {
  const bool cancelled = code == absl::StatusCode::kCancelled;
  const char* const event = cancelled ? "request_cancelled" : "request_failed";
  std::vector<LogField> fields = {{"request_id", line.request_id},
                                  {"method", line.method},
                                  {"code", absl::StatusCodeToString(code)},
                                  {"reason", line.reason},
                                  {"requests", line.calls}};
  if (!line.trace_id.empty()) fields.emplace_back("trace_id", line.trace_id);
  if (cancelled || code == absl::StatusCode::kInvalidArgument) {
    LogInfo(event, fields);
  } else {
    LogWarning(event, fields);
  }
}

}  // namespace apollo
