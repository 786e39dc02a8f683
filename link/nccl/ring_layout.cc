#include "link/nccl/ring_layout.h"

namespace apollo {

std::optional<RingLayout::Place> RingLayout::Next(std::size_t bytes) {
  if (bytes > largest()) return std::nullopt;
  const std::size_t size = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  std::size_t offset = taken_ % bytes_;
  std::uint64_t taken = size;
  if (offset + size > bytes_) {  // Not around the end.
    taken += bytes_ - offset;
    offset = 0;
  }
  if (taken_ + taken - freed_ > bytes_) return std::nullopt;
  taken_ += taken;
  return Place{offset, taken};
}

}  // namespace apollo
