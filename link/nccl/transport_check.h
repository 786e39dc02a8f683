#pragma once

#include <absl/status/status.h>

#include "link/worker_info.h"

namespace apollo {

// Returns OK if rows may travel between two workers by NCCL. Otherwise
// FAILED_PRECONDITION, naming what is missing on which side, or differs, with
// both values: NCCL, its version, the host (unless both allow others), or a
// device for each. Gives the same answer on both sides.
absl::Status CheckTransport(const DeviceTransport& self,
                            const DeviceTransport& peer);

}  // namespace apollo
