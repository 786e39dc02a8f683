// Instead of cuda_device.cc in programs without CUDA.

#include <absl/strings/str_cat.h>

#include "link/nccl/cuda_device.h"

namespace apollo {

absl::StatusOr<std::shared_ptr<LinkDevice>> MakeCudaDevice(int index) {
  return absl::FailedPreconditionError(
      absl::StrCat("GPU ", index,
                   " cannot be used: this program was built without CUDA; "
                   "build it with --config=cuda"));
}

}  // namespace apollo
