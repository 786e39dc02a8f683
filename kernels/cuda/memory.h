#pragma once

#include <absl/status/statusor.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <string_view>
#include <type_traits>

namespace apollo::cuda {

namespace internal {
struct FreeDevice {
  void operator()(void* data) const { cudaFree(data); }
};
struct FreeHost {
  void operator()(void* data) const { cudaFreeHost(data); }
};
struct DestroyStream {
  void operator()(cudaStream_t stream) const { cudaStreamDestroy(stream); }
};
struct DestroyEvent {
  void operator()(cudaEvent_t event) const { cudaEventDestroy(event); }
};
}  // namespace internal

// Owned memory: of the current device (DeviceBuffer), or page-locked memory of
// the host (PinnedBuffer). Uninitialized, aligned to 256 bytes. Move-only.
template <typename Free>
class Buffer {
 public:
  Buffer() = default;
  // Takes ownership of `bytes` bytes at `data`.
  Buffer(void* data, std::size_t bytes) : data_(data), bytes_(bytes) {}

  std::size_t bytes() const { return bytes_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_.get());
  }

 private:
  std::unique_ptr<void, Free> data_;
  std::size_t bytes_ = 0;
};
using DeviceBuffer = Buffer<internal::FreeDevice>;
using PinnedBuffer = Buffer<internal::FreeHost>;

// Allocates `bytes` bytes for `purpose` ("the cache"). Returns
// RESOURCE_EXHAUSTED, with the sizes needed and free, if there is no room. A
// buffer of 0 bytes holds a null pointer.
absl::StatusOr<DeviceBuffer> AllocateDevice(std::size_t bytes,
                                            std::string_view purpose);
absl::StatusOr<PinnedBuffer> AllocatePinned(std::size_t bytes,
                                            std::string_view purpose);

// An owned stream that does not synchronise with the default stream.
using Stream = std::unique_ptr<std::remove_pointer_t<cudaStream_t>,
                               internal::DestroyStream>;
absl::StatusOr<Stream> CreateStream();

// An owned event; without times unless `timed`.
using Event =
    std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, internal::DestroyEvent>;
absl::StatusOr<Event> CreateEvent(bool timed = false);

// Enqueues a copy between device memory and page-locked host memory.
absl::Status CopyToDevice(void* to, const void* from, std::size_t bytes,
                          cudaStream_t stream);
absl::Status CopyToHost(void* to, const void* from, std::size_t bytes,
                        cudaStream_t stream);

}  // namespace apollo::cuda
