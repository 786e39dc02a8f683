#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <deque>
#include <memory>

#include "kernels/cuda/memory.h"

namespace apollo::cuda {

// Copies of host memory to a device that do not wait: the data is first copied
// to page-locked memory, which is used again when the device has read it. One
// thread.
class UploadRing {
 public:
  // `slots` pieces of page-locked memory of `slot_bytes` bytes each, for copies
  // in `stream`.
  static absl::StatusOr<std::unique_ptr<UploadRing>> Create(
      int slots, std::size_t slot_bytes, cudaStream_t stream);

  // Enqueues a copy of `bytes` bytes at `data` to `to`. If the device is so far
  // behind that no slot is free, adds one. Returns an error of the device.
  absl::Status Copy(void* to, const void* data, std::size_t bytes);

  // The number of slots: it grew if it exceeds that of Create.
  int slots() const { return static_cast<int>(slots_.size()); }

 private:
  struct Slot {
    PinnedBuffer memory;
    Event read;  // Recorded after the last copy from the slot.
    bool used = false;
  };

  UploadRing(std::size_t slot_bytes, cudaStream_t stream)
      : slot_bytes_(slot_bytes), stream_(stream) {}
  // Adds a free slot in front.
  absl::Status AddSlot();
  // Makes the first slot one that the device has read.
  absl::Status FreeFront();

  const std::size_t slot_bytes_;
  const cudaStream_t stream_;
  std::deque<Slot> slots_;  // The one used longest ago is the first.
};

}  // namespace apollo::cuda
