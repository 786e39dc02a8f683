#pragma once

#include <string_view>

namespace apollo {

// Makes one of gRPC's reports of errors a line of the process's log, or drops
// it, as CaptureGrpcLog says. `file` is the source file in gRPC. Thread-safe.
void ReportGrpcError(std::string_view file, int line, std::string_view text);

}  // namespace apollo
