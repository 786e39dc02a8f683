#pragma once

#include <memory>

#include "link/nccl/nccl_library.h"
#include "link/nccl/nccl_link.h"

namespace apollo {

// Returns the options of the links of a process that computes on `device`:
// loads NCCL and says what this worker can do. Without NCCL the process goes
// on, with rows that are copied to the host, and logs why
// (nccl_not_used). Call once, before the process has threads (LoadNccl).
NcclLinkOptions SetUpNccl(std::shared_ptr<LinkDevice> device,
                          const NcclLibraryOptions& library, bool across_hosts);

}  // namespace apollo
