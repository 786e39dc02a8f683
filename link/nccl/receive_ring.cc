#include "link/nccl/receive_ring.h"

#include <absl/strings/str_cat.h>

#include "common/status_macros.h"

namespace apollo {

absl::StatusOr<std::shared_ptr<ReceiveRing>> ReceiveRing::Make(
    LinkDevice& device, std::size_t bytes, std::function<void()> freed) {
  ASSIGN_OR_RETURN(std::shared_ptr<std::byte> memory, device.Allocate(bytes));
  return std::shared_ptr<ReceiveRing>(new ReceiveRing(
      bytes, device.device(), std::move(memory), std::move(freed)));
}

absl::StatusOr<Rows> ReceiveRing::Take(int rows, int width, RowType type) {
  if (rows <= 0 || width <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a payload of ", rows, " x ", width, " numbers is empty"));
  }
  const std::uint64_t wanted = static_cast<std::uint64_t>(rows) *
                               static_cast<std::uint64_t>(width) *
                               BytesOf(type);
  MutexLock lock(mutex_);
  const std::optional<RingLayout::Place> place = layout_.Next(wanted);
  if (!place) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a payload of ", wanted, " bytes does not fit: ",
        layout_.taken() - layout_.freed(), " of ", bytes_,
        " bytes are in use, and one may take at most ", layout_.largest()));
  }
  const std::uint64_t number = first_ + pieces_.size();
  pieces_.push_back({place->taken});
  std::byte* const data = memory_.get() + place->offset;
  std::shared_ptr<void> owner(
      data, [ring = shared_from_this(), number](void*) { ring->Free(number); });
  return Rows(data, rows, width, type, device_, std::move(owner));
}

std::uint64_t ReceiveRing::freed_bytes() {
  MutexLock lock(mutex_);
  return layout_.freed();
}

void ReceiveRing::Detach() {
  MutexLock lock(freed_mutex_);
  freed_ = nullptr;
}

void ReceiveRing::Free(std::uint64_t number) {
  {
    MutexLock lock(mutex_);
    pieces_[number - first_].free = true;
    if (number != first_) return;
    while (!pieces_.empty() && pieces_.front().free) {
      layout_.SetFreed(layout_.freed() + pieces_.front().taken);
      pieces_.pop_front();
      ++first_;
    }
  }
  MutexLock lock(freed_mutex_);
  if (freed_) freed_();
}

}  // namespace apollo
