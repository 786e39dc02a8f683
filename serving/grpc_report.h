#pragma once

#include <string_view>

namespace apollo {

enum class GrpcSeverity {
  kError,
  kFatal,  // The process ends after it.
};

// Makes one of gRPC's reports of errors a line of the process's log, or drops
// it, as CaptureGrpcLog says; a fatal one is always written. `file` is the
// source file in gRPC. Thread-safe.
void ReportGrpcError(GrpcSeverity severity, std::string_view file, int line,
                     std::string_view text);

}  // namespace apollo
