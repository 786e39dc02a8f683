#pragma once

#include <absl/status/statusor.h>

#include <string>

namespace apollo {

// The flags --nccl_across_hosts and --nccl_interface.
struct NcclFlags {
  bool across_hosts = false;
  // The only network interface that NCCL may use.
  std::string interface = "lo";
};

// Reads the flags; call after absl::ParseCommandLine. FAILED_PRECONDITION if
// one is set in a program without CUDA; INVALID_ARGUMENT, naming the flag, if
// they do not fit together or there is no such interface.
absl::StatusOr<NcclFlags> ReadNcclFlags();

// Does the same with given values, for a program with or without CUDA.
absl::StatusOr<NcclFlags> CheckNcclFlags(bool across_hosts,
                                         const std::string& interface,
                                         bool has_cuda);

}  // namespace apollo
