#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "link/nccl/link_device.h"

namespace apollo {

// Returns the GPU with this index in the process, as links see it. NOT_FOUND,
// naming how many there are, if there is none; FAILED_PRECONDITION in programs
// without CUDA.
absl::StatusOr<std::shared_ptr<LinkDevice>> MakeCudaDevice(int index);

}  // namespace apollo
