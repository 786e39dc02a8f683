#pragma once

// The part of the CUDA runtime that is used, on the host: "device" memory is
// memory of the process, and streams execute immediately, unless
// kernels/cuda/emulation/device_state.h makes the device slow, or fail. For
// tests without a GPU (kernels/cuda/emulation/simt.h).
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "kernels/cuda/emulation/device_state.h"

using cudaStream_t = struct EmulatedStream*;
using cudaEvent_t = struct EmulatedEvent*;

enum cudaError_t {
  cudaSuccess,
  cudaErrorMemoryAllocation,
  cudaErrorNoDevice,
  cudaErrorInsufficientDriver,
  cudaErrorDevicesUnavailable,
  cudaErrorSystemDriverMismatch,
  cudaErrorSystemNotReady,
  cudaErrorInitializationError,
  cudaErrorNotReady,
  cudaErrorIllegalAddress,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
inline constexpr unsigned cudaStreamNonBlocking = 1;
inline constexpr unsigned cudaEventDefault = 0;
inline constexpr unsigned cudaEventDisableTiming = 2;

// Returns the error of the device, if it has failed.
inline cudaError_t EmulatedError() {
  return static_cast<cudaError_t>(
      apollo::cuda::emulation::device_state.error());
}

struct cudaDeviceProp {
  char name[256];
  std::size_t sharedMemPerBlockOptin;
  int major, minor, multiProcessorCount, l2CacheSize;
};

inline const char* cudaGetErrorString(cudaError_t) { return "an error"; }
inline const char* cudaGetErrorName(cudaError_t) { return "emulated"; }
inline cudaError_t cudaGetLastError() { return EmulatedError(); }
inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {"emulated", 232448, 9, 0, 132, 50 << 20};
  return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int) { return EmulatedError(); }
inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *free = *total = std::size_t{1} << 34;
  return cudaSuccess;
}

// Memory starts with bytes of 0xff, which are NaN as numbers.
inline cudaError_t cudaMalloc(void** data, std::size_t bytes) {
  if (EmulatedError() != cudaSuccess) return EmulatedError();
  if (bytes > std::size_t{1} << 34) return cudaErrorMemoryAllocation;
  *data = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(*data, 0xff, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMallocHost(void** data, std::size_t bytes) {
  const cudaError_t error = cudaMalloc(data, bytes);
  if (error == cudaSuccess) {
    apollo::cuda::emulation::device_state.Pin(*data, bytes);
  }
  return error;
}
inline cudaError_t cudaFree(void* data) {
  std::free(data);
  return cudaSuccess;
}
inline cudaError_t cudaFreeHost(void* data) {
  apollo::cuda::emulation::device_state.Unpin(data);
  return cudaFree(data);
}
// Memory of the host that is not page-locked makes the call wait, as it may on
// a GPU: a stage that must not wait does not use it.
inline cudaError_t cudaMemcpyAsync(void* to, const void* from,
                                   std::size_t bytes, cudaMemcpyKind kind,
                                   cudaStream_t) {
  if (bytes == 0) return EmulatedError();
  auto& state = apollo::cuda::emulation::device_state;
  if (!state.IsPinned(kind == cudaMemcpyHostToDevice ? from : to, bytes)) {
    state.Release();
  }
  state.Do([=] { std::memcpy(to, from, bytes); });
  return EmulatedError();
}
inline cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes,
                                   cudaStream_t) {
  if (bytes == 0) return EmulatedError();
  apollo::cuda::emulation::device_state.Do(
      [=] { std::memset(to, value, bytes); });
  return EmulatedError();
}
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = nullptr;
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t) {
  apollo::cuda::emulation::device_state.Release();
  return EmulatedError();
}
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = nullptr;
  return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) {
  return EmulatedError();
}
inline cudaError_t cudaEventQuery(cudaEvent_t) {
  if (EmulatedError() != cudaSuccess) return EmulatedError();
  return apollo::cuda::emulation::device_state.held() ? cudaErrorNotReady
                                                      : cudaSuccess;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t) {
  apollo::cuda::emulation::device_state.Wait();
  return EmulatedError();
}
template <typename Kernel>
cudaError_t cudaFuncSetAttribute(Kernel*, cudaFuncAttribute, int) {
  return cudaSuccess;
}
