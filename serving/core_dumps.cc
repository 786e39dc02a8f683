#include "serving/core_dumps.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "serving/file_descriptor.h"

namespace apollo {

bool ForbidCoreDumps() {
  const rlimit none = {0, 0};
  const bool limited = setrlimit(RLIMIT_CORE, &none) == 0;
  const FileDescriptor filter(
      open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC));
  return filter.ok() && write(filter.get(), "0", 1) == 1 && limited;
}

bool ForbidGrpcTraces() {
  const char* const traces = getenv("GRPC_TRACE");
  const bool any = traces != nullptr && *traces != '\0';
  unsetenv("GRPC_TRACE");
  return any;
}

}  // namespace apollo
