#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "link/nccl/nccl_api.h"

namespace apollo {

struct NcclLibraryOptions {
  // A name that the dynamic linker finds, or a path.
  std::string library = "libnccl.so.2";
  // The network interface that NCCL may use. Only the loopback interface stays
  // within the host.
  std::string interface = "lo";
};

// Loads NCCL and returns its functions. The library stays loaded. NOT_FOUND,
// naming the library, if there is none; FAILED_PRECONDITION, naming the
// version, if it is older than kMinNcclVersion or lacks a function.
//
// Sets variables of the environment that NCCL reads (docs/link.md has them), so
// it must be called before the process has threads, and once.
absl::StatusOr<std::shared_ptr<const NcclApi>> LoadNccl(
    const NcclLibraryOptions& options);

}  // namespace apollo
