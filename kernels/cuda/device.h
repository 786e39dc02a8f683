#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace apollo::cuda {

// Returns OK, or the error as a Status that starts with `what`:
// RESOURCE_EXHAUSTED without memory, UNAVAILABLE without a usable device or
// driver, else INTERNAL.
absl::Status CudaStatus(cudaError_t error, std::string_view what);

struct DeviceInfo {
  int index = 0;
  std::string name;
  int major = 0;  // Compute capability.
  int minor = 0;
  int multiprocessors = 0;
  std::size_t l2_bytes = 0;
  std::size_t shared_bytes = 0;  // Per thread block, at most.
  std::size_t total_bytes = 0;
  std::size_t free_bytes = 0;  // At the time of the call.
};

// Makes device `index` the current one of the calling thread and returns its
// properties. Returns
// - UNAVAILABLE if there is no driver or device, or if the device is in use
//   exclusively by another process;
// - NOT_FOUND if the index is too large;
// - FAILED_PRECONDITION if the device is older than compute capability 8.0;
// - RESOURCE_EXHAUSTED if fewer than `bytes_needed` bytes are free.
absl::StatusOr<DeviceInfo> OpenDevice(int index, std::size_t bytes_needed);

}  // namespace apollo::cuda
