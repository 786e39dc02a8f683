#include "router/audit/audit_log.h"

#include <absl/strings/str_cat.h>

namespace apollo {

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(
    const AuditFile::Options& options, const Clock& clock) {
  if (options.path.empty()) return nullptr;
  absl::StatusOr<std::unique_ptr<AuditFile>> file = AuditFile::Open(options);
  if (!file.ok()) {
    return absl::Status(file.status().code(),
                        absl::StrCat("--audit_log: ", file.status().message()));
  }
  const auto dropped = static_cast<std::size_t>((*file)->dropped_bytes());
  return std::make_unique<AuditLog>(*std::move(file), clock, dropped);
}

AuditLog::AuditLog(std::unique_ptr<AuditSink> sink, const Clock& clock,
                   std::size_t dropped_bytes, std::size_t most_kept,
                   absl::Duration end_patience)
    : end_patience_(end_patience),
      queue_(std::make_shared<AuditQueue>(std::move(sink), clock, dropped_bytes,
                                          most_kept)),
      thread_([queue = queue_] { queue->Serve(); }) {}

AuditLog::~AuditLog() {
  if (queue_->Stop(end_patience_)) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

}  // namespace apollo
