#include "serving/core_dumps.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "serving/file_descriptor.h"

namespace apollo {

bool ForbidCoreDumps() {
  // Less than any file has. Unlike for 0, the kernel starts no collector,
  // either (do_coredump of Linux): the filter leaves it the registers of all
  // threads.
  const rlimit one = {1, 1}, none = {0, 0};
  const bool limited =
      setrlimit(RLIMIT_CORE, &one) == 0 || setrlimit(RLIMIT_CORE, &none) == 0;
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
