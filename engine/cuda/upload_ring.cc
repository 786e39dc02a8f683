#include "engine/cuda/upload_ring.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "kernels/cuda/device.h"

namespace apollo::cuda {

absl::StatusOr<std::unique_ptr<UploadRing>> UploadRing::Create(
    int slots, std::size_t slot_bytes, cudaStream_t stream) {
  APOLLO_CHECK(slots > 0 && slot_bytes > 0);
  std::unique_ptr<UploadRing> ring(new UploadRing(slot_bytes, stream));
  for (int i = 0; i < slots; ++i) RETURN_IF_ERROR(ring->AddSlot());
  return ring;
}

absl::Status UploadRing::AddSlot() {
  Slot slot;
  ASSIGN_OR_RETURN(slot.memory, AllocatePinned(slot_bytes_, "uploads"));
  ASSIGN_OR_RETURN(slot.read, CreateEvent());
  slots_.push_front(std::move(slot));
  return absl::OkStatus();
}

absl::Status UploadRing::FreeFront() {
  const Slot& slot = slots_.front();
  if (!slot.used) return absl::OkStatus();
  cudaError_t error = cudaEventQuery(slot.read.get());
  if (error == cudaErrorNotReady) {
    cudaGetLastError();  // The runtime keeps it, but it is none.
    // Without memory for another slot, waiting is better than failing.
    if (AddSlot().ok()) {
      ++grown_;
      return absl::OkStatus();
    }
    error = cudaEventSynchronize(slot.read.get());
  }
  return CudaStatus(error, "reading uploads");
}

absl::Status UploadRing::NextSlot() {
  RETURN_IF_ERROR(FreeFront());
  Slot slot = std::move(slots_.front());
  slots_.pop_front();
  slots_.push_back(std::move(slot));
  filled_ = 0;
  return absl::OkStatus();
}

absl::Status UploadRing::Copy(void* to, const void* data, std::size_t bytes) {
  auto* target = static_cast<std::byte*>(to);
  const auto* source = static_cast<const std::byte*>(data);
  while (bytes > 0) {
    if (filled_ == slot_bytes_) RETURN_IF_ERROR(NextSlot());
    Slot& slot = slots_.back();
    std::byte* const place = slot.memory.as<std::byte>() + filled_;
    const std::size_t part = std::min(bytes, slot_bytes_ - filled_);
    std::memcpy(place, source, part);
    filled_ += part;
    slot.used = true;
    RETURN_IF_ERROR(CopyToDevice(target, place, part, stream_));
    // Again for each copy from the slot: the last one counts.
    RETURN_IF_ERROR(CudaStatus(cudaEventRecord(slot.read.get(), stream_),
                               "marking an upload"));
    target += part;
    source += part;
    bytes -= part;
  }
  return absl::OkStatus();
}

}  // namespace apollo::cuda
