#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <deque>
#include <memory>

#include "kernels/cuda/memory.h"

namespace apollo::cuda {

// Copies of host memory to a device that do not wait: the data is first copied
// to page-locked memory, which is used again when the device has read it. They
// follow each other in that memory without gaps. One thread.
class UploadRing {
 public:
  // `slots` pieces of page-locked memory of `slot_bytes` bytes each, for copies
  // in `stream`.
  static absl::StatusOr<std::unique_ptr<UploadRing>> Create(
      int slots, std::size_t slot_bytes, cudaStream_t stream);

  // Enqueues a copy of `bytes` bytes at `data` to `to`. If the device is so far
  // behind that no slot is free, adds one. Returns an error of the device.
  absl::Status Copy(void* to, const void* data, std::size_t bytes);

  // The number of slots.
  int slots() const { return static_cast<int>(slots_.size()); }
  // Slots that were added after Create.
  int grown() const { return grown_; }

 private:
  struct Slot {
    PinnedBuffer memory;
    Event read;  // Recorded after the last copy from the slot.
    bool used = false;
  };

  UploadRing(std::size_t slot_bytes, cudaStream_t stream)
      : slot_bytes_(slot_bytes), stream_(stream), filled_(slot_bytes) {}
  // Adds a free slot in front.
  absl::Status AddSlot();
  // Makes the first slot one that the device has read.
  absl::Status FreeFront();
  // Begins to fill the first slot, which becomes the last one.
  absl::Status NextSlot();

  const std::size_t slot_bytes_;
  const cudaStream_t stream_;
  // The one used longest ago is the first; the last one is being filled.
  std::deque<Slot> slots_;
  std::size_t filled_;  // Bytes of the last slot that are in use.
  int grown_ = 0;
};

}  // namespace apollo::cuda
