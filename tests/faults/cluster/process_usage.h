#pragma once

#include <sys/types.h>

#include <cstdint>

namespace apollo {

// The resources that a process holds, as the kernel counts them.
struct ProcessUsage {
  int descriptors = 0;
  std::int64_t resident_bytes = 0;
};

// Returns the resources of a running process; zeros if there is none.
ProcessUsage UsageOf(pid_t pid);

}  // namespace apollo
