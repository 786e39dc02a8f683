#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "common/mutex.h"
#include "common/rows.h"
#include "link/nccl/link_device.h"
#include "link/nccl/ring_layout.h"

namespace apollo {

// Memory of a device that received rows live in, until the last handle to them
// is gone. Thread-safe.
class ReceiveRing : public std::enable_shared_from_this<ReceiveRing> {
 public:
  // `freed` is called after rows have become free, from whichever thread let go
  // of them, until Detach. RESOURCE_EXHAUSTED if the device has no such memory.
  static absl::StatusOr<std::shared_ptr<ReceiveRing>> Make(
      LinkDevice& device, std::size_t bytes, std::function<void()> freed);

  // Returns rows whose numbers the caller is to write. INVALID_ARGUMENT if they
  // do not fit now, which a sender that heeds its credit does not ask for.
  absl::StatusOr<Rows> Take(int rows, int width, RowType type);

  std::size_t bytes() const { return bytes_; }
  // The sum of what is free again, as RingLayout counts.
  std::uint64_t freed_bytes();

  // `freed` is not called any more, and no call is under way once this returns.
  void Detach();

 private:
  ReceiveRing(std::size_t bytes, Device device,
              std::shared_ptr<std::byte> memory, std::function<void()> freed)
      : bytes_(bytes),
        device_(device),
        memory_(std::move(memory)),
        layout_(bytes),
        freed_(std::move(freed)) {}
  void Free(std::uint64_t number);

  struct Piece {
    std::uint64_t taken = 0;
    bool free = false;
  };

  const std::size_t bytes_;
  const Device device_;
  const std::shared_ptr<std::byte> memory_;

  Mutex mutex_;
  RingLayout layout_ ABSL_GUARDED_BY(mutex_);
  // Those from number first_ on; space is free in the order of the numbers.
  std::deque<Piece> pieces_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t first_ ABSL_GUARDED_BY(mutex_) = 0;
  Mutex freed_mutex_;
  std::function<void()> freed_ ABSL_GUARDED_BY(freed_mutex_);
};

}  // namespace apollo
