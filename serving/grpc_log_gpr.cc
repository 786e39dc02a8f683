// For gRPC before 1.66, which has a log of its own.

#include <grpc/support/log.h>

#include "serving/grpc_log.h"
#include "serving/grpc_report.h"

namespace apollo {
namespace {

void Report(gpr_log_func_args* report) {
  if (report->severity != GPR_LOG_SEVERITY_ERROR) return;
  ReportGrpcError(GrpcSeverity::kError, report->file, report->line,
                  report->message);
}

}  // namespace

void CaptureGrpcLog() { gpr_set_log_function(Report); }

}  // namespace apollo
