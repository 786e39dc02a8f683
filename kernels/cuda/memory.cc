#include "kernels/cuda/memory.h"

#include <absl/strings/str_cat.h>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/cuda/device.h"

namespace apollo::cuda {

absl::StatusOr<DeviceBuffer> AllocateDevice(std::size_t bytes,
                                            std::string_view purpose) {
  if (bytes == 0) return DeviceBuffer();
  void* data = nullptr;
  const cudaError_t error = cudaMalloc(&data, bytes);
  if (error == cudaSuccess) return DeviceBuffer(data, bytes);
  cudaGetLastError();  // A failed allocation is no failed launch.
  std::size_t free = 0, total = 0;
  if (error != cudaErrorMemoryAllocation ||
      cudaMemGetInfo(&free, &total) != cudaSuccess) {
    return CudaStatus(error, absl::StrCat("allocating ", bytes, " bytes for ",
                                          ToAbsl(purpose)));
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("no room on the GPU for ", ToAbsl(purpose), ": ",
                   bytes / 1000000, " MB are needed, ", free / 1000000,
                   " MB of ", total / 1000000, " MB are free"));
}

absl::StatusOr<PinnedBuffer> AllocatePinned(std::size_t bytes,
                                            std::string_view purpose) {
  if (bytes == 0) return PinnedBuffer();
  void* data = nullptr;
  const cudaError_t error = cudaMallocHost(&data, bytes);
  if (error == cudaSuccess) return PinnedBuffer(data, bytes);
  cudaGetLastError();
  return CudaStatus(
      error, absl::StrCat("allocating ", bytes, " page-locked bytes for ",
                          ToAbsl(purpose)));
}

absl::StatusOr<Stream> CreateStream() {
  cudaStream_t stream = nullptr;
  RETURN_IF_ERROR(
      CudaStatus(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking),
                 "creating a stream"));
  return Stream(stream);
}

absl::StatusOr<Event> CreateEvent(bool timed) {
  cudaEvent_t event = nullptr;
  RETURN_IF_ERROR(
      CudaStatus(cudaEventCreateWithFlags(
                     &event, timed ? cudaEventDefault : cudaEventDisableTiming),
                 "creating an event"));
  return Event(event);
}

absl::Status CopyToDevice(void* to, const void* from, std::size_t bytes,
                          cudaStream_t stream) {
  if (bytes == 0) return absl::OkStatus();
  return CudaStatus(
      cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream),
      "copying to the GPU");
}

absl::Status CopyToHost(void* to, const void* from, std::size_t bytes,
                        cudaStream_t stream) {
  if (bytes == 0) return absl::OkStatus();
  return CudaStatus(
      cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream),
      "copying from the GPU");
}

}  // namespace apollo::cuda
