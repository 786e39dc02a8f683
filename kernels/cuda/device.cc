#include "kernels/cuda/device.h"

#include <absl/strings/str_cat.h>

#include "common/status_macros.h"
#include "common/strings.h"

namespace apollo::cuda {
namespace {

constexpr int kOldestMajor = 8;  // bf16 mma and cp.async.

std::string Megabytes(std::size_t bytes) {
  return absl::StrCat(bytes / 1000000, " MB");
}

}  // namespace

absl::Status CudaStatus(cudaError_t error, std::string_view what) {
  if (error == cudaSuccess) return absl::OkStatus();
  const std::string message =
      absl::StrCat(ToAbsl(what), ": ", cudaGetErrorString(error), " (",
                   cudaGetErrorName(error), ")");
  switch (error) {
    case cudaErrorMemoryAllocation:
      return absl::ResourceExhaustedError(message);
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorDevicesUnavailable:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorSystemNotReady:
    case cudaErrorInitializationError:
      return absl::UnavailableError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::StatusOr<DeviceInfo> OpenDevice(int index, std::size_t bytes_needed) {
  int count = 0;
  RETURN_IF_ERROR(CudaStatus(cudaGetDeviceCount(&count), "finding GPUs"));
  if (index < 0 || index >= count) {
    return absl::NotFoundError(absl::StrCat(
        "device cuda:", index, " does not exist; this machine has ", count,
        count == 1 ? " GPU" : " GPUs"));
  }
  const std::string name = absl::StrCat("device cuda:", index);
  cudaDeviceProp properties;
  RETURN_IF_ERROR(
      CudaStatus(cudaGetDeviceProperties(&properties, index), name));
  DeviceInfo info;
  info.index = index;
  info.name = properties.name;
  info.major = properties.major;
  info.minor = properties.minor;
  info.multiprocessors = properties.multiProcessorCount;
  info.l2_bytes = static_cast<std::size_t>(properties.l2CacheSize);
  info.shared_bytes = properties.sharedMemPerBlockOptin;
  if (info.major < kOldestMajor) {
    return absl::FailedPreconditionError(absl::StrCat(
        name, " (", info.name, ") has compute capability ", info.major, ".",
        info.minor, "; at least ", kOldestMajor, ".0 is needed"));
  }
  RETURN_IF_ERROR(CudaStatus(cudaSetDevice(index), name));
  RETURN_IF_ERROR(
      CudaStatus(cudaMemGetInfo(&info.free_bytes, &info.total_bytes), name));
  if (info.free_bytes < bytes_needed) {
    return absl::ResourceExhaustedError(absl::StrCat(
        name, " (", info.name, ") has ", Megabytes(info.free_bytes),
        " free of ", Megabytes(info.total_bytes), "; ", Megabytes(bytes_needed),
        " are needed"));
  }
  return info;
}

}  // namespace apollo::cuda
