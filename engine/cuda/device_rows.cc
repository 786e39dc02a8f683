#include "engine/cuda/device_rows.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "common/mutex.h"
#include "common/status_macros.h"
#include "kernels/cuda/memory.h"

namespace apollo::cuda {

struct RowPool::Blocks {
  // Returns the smallest free block of at least `bytes`.
  std::optional<DeviceBuffer> TakeFree(std::size_t bytes) {
    MutexLock lock(mutex);
    const auto smallest = free.lower_bound(bytes);
    if (smallest == free.end()) return std::nullopt;
    DeviceBuffer buffer = std::move(smallest->second);
    free.erase(smallest);
    return buffer;
  }
  void Return(DeviceBuffer buffer) {
    MutexLock lock(mutex);
    const std::size_t bytes = buffer.bytes();
    free.emplace(bytes, std::move(buffer));
  }

  Mutex mutex;
  std::multimap<std::size_t, DeviceBuffer> free ABSL_GUARDED_BY(mutex);
};

RowPool::RowPool(Device device, std::size_t block_bytes)
    : device_(device),
      block_bytes_(block_bytes),
      blocks_(std::make_shared<Blocks>()) {}

RowPool::~RowPool() = default;

absl::StatusOr<RowPool> RowPool::Create(Device device, std::size_t block_bytes,
                                        int blocks) {
  RowPool pool(device, block_bytes);
  RETURN_IF_ERROR(pool.Add(block_bytes, blocks));
  return pool;
}

absl::Status RowPool::Add(std::size_t block_bytes, int blocks) {
  for (int i = 0; i < blocks; ++i) {
    ASSIGN_OR_RETURN(DeviceBuffer buffer,
                     AllocateDevice(block_bytes, "rows between workers"));
    blocks_->Return(std::move(buffer));
  }
  return absl::OkStatus();
}

absl::StatusOr<Rows> RowPool::Take(int rows, int width, RowType type) {
  const std::size_t bytes = static_cast<std::size_t>(rows) *
                            static_cast<std::size_t>(width) * BytesOf(type);
  std::optional<DeviceBuffer> buffer = blocks_->TakeFree(bytes);
  if (!buffer) {
    ASSIGN_OR_RETURN(buffer, AllocateDevice(std::max(bytes, block_bytes_),
                                            "rows between workers"));
    ++grown_;
  }
  // Gives the block back when the last handle goes.
  struct Loan {
    Loan(std::shared_ptr<Blocks> from, DeviceBuffer loaned)
        : blocks(std::move(from)), buffer(std::move(loaned)) {}
    ~Loan() { blocks->Return(std::move(buffer)); }
    std::shared_ptr<Blocks> blocks;
    DeviceBuffer buffer;
  };
  auto loan = std::make_shared<Loan>(blocks_, *std::move(buffer));
  void* const data = loan->buffer.as<void>();
  return Rows(data, rows, width, type, device_, std::move(loan));
}

}  // namespace apollo::cuda
