#pragma once

#include <string>

namespace apollo {

// The files to read; others in tests.
struct HostIdPaths {
  std::string boot_id = "/proc/sys/kernel/random/boot_id";
  std::string shared_memory = "/dev/shm";
  std::string network = "/proc/self/ns/net";
};

// Returns a hash that two processes have in common only if they run under one
// boot of one kernel, with the same /dev/shm, which NCCL's shared memory needs,
// and with the same network interfaces, so that the loopback interface of one
// reaches the other. Containers usually differ in the latter two. A different
// NCCL_HOSTID in the environment makes it another host, as it does for NCCL.
// Empty if one of them cannot be read: then the process shares a host with
// nobody.
std::string HostId(const HostIdPaths& paths = {});

}  // namespace apollo
