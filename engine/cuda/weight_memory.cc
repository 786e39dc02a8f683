#include "engine/cuda/weight_memory.h"

#include "common/status_macros.h"

namespace apollo::cuda {
namespace {

absl::StatusOr<std::shared_ptr<DeviceBuffer>> NewBlock(
    std::size_t bytes, std::string_view purpose) {
  ASSIGN_OR_RETURN(DeviceBuffer buffer, AllocateDevice(bytes, purpose));
  return std::make_shared<DeviceBuffer>(std::move(buffer));
}

}  // namespace

absl::StatusOr<WeightPart> WeightMemory::Take(std::size_t bytes,
                                              std::string_view purpose) {
  const std::size_t rounded = (bytes + 255) / 256 * 256;
  if (rounded > block_bytes_ - taken_) {
    ASSIGN_OR_RETURN(const std::shared_ptr<DeviceBuffer> own,
                     NewBlock(bytes, purpose));
    return WeightPart({own, own->as<void>()}, bytes);
  }
  if (block_ == nullptr) {
    ASSIGN_OR_RETURN(block_, NewBlock(block_bytes_, "the weights"));
  }
  std::byte* const data = block_->as<std::byte>() + taken_;
  taken_ += rounded;
  return WeightPart({block_, data}, bytes);
}

}  // namespace apollo::cuda
