// For gRPC from 1.66 on, which writes to Abseil's log. So does Protobuf, whose
// lines are reported, too.

#include <absl/base/log_severity.h>
#include <absl/log/globals.h>
#include <absl/log/initialize.h>
#include <absl/log/log_entry.h>
#include <absl/log/log_sink.h>
#include <absl/log/log_sink_registry.h>

#include "serving/grpc_log.h"
#include "serving/grpc_report.h"

namespace apollo {
namespace {

class GrpcSink final : public absl::LogSink {
 public:
  void Send(const absl::LogEntry& entry) override {
    if (entry.log_severity() < absl::LogSeverity::kError) return;
    ReportGrpcError(entry.log_severity() == absl::LogSeverity::kFatal
                        ? GrpcSeverity::kFatal
                        : GrpcSeverity::kError,
                    entry.source_filename(), entry.source_line(),
                    entry.text_message());
  }
};

}  // namespace

void CaptureGrpcLog() {
  static const bool captured = [] {
    // Abseil writes every line to stderr, too, unless it is told not to and is
    // initialised.
    absl::SetStderrThreshold(absl::LogSeverityAtLeast::kInfinity);
    absl::InitializeLog();
    absl::AddLogSink(new GrpcSink);  // For the rest of the process.
    return true;
  }();
  static_cast<void>(captured);
}

}  // namespace apollo
