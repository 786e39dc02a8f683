#include "serving/core_dump_flags.h"

#include <absl/flags/flag.h>

#include "common/log.h"
#include "serving/core_dumps.h"

ABSL_FLAG(bool, core_dumps, false,
          "Allow core dumps, and the traces that GRPC_TRACE asks for: both "
          "contain text of requests. Only for tests without patients.");

namespace apollo {

void ApplyCoreDumpFlags() {
  if (absl::GetFlag(FLAGS_core_dumps)) {
    LogWarning("core_dumps_allowed");
    return;
  }
  if (!ForbidCoreDumps()) LogWarning("core_dumps_not_forbidden");
  if (ForbidGrpcTraces()) LogWarning("grpc_traces_ignored");
}

}  // namespace apollo
