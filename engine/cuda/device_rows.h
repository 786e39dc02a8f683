#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>

#include "common/rows.h"

namespace apollo::cuda {

// Memory of a device for the rows that a stage passes on. The consumer decides
// when a block becomes free: it returns to the pool with the last handle to its
// rows, in whichever thread that is dropped. Handles may outlive the pool. Used
// by one thread.
//
// A consumer drops its handle only when its own work on the rows has completed.
// A stage may drop one at any time: its next work on the block follows in the
// same stream.
class RowPool {
 public:
  // Allocates `blocks` blocks of `block_bytes` each on the current device,
  // which is `device`. RESOURCE_EXHAUSTED if there is no room.
  static absl::StatusOr<RowPool> Create(Device device, std::size_t block_bytes,
                                        int blocks);

  RowPool(RowPool&&) = default;
  RowPool& operator=(RowPool&&) = default;
  ~RowPool();

  // Adds `blocks` free blocks of `block_bytes` each, for rows of another size.
  // Rows take the smallest free block that has room for them.
  absl::Status Add(std::size_t block_bytes, int blocks);

  // Returns uninitialized rows, aligned to 256 bytes. If no free block is large
  // enough, allocates one, which then stays in the pool: consumers hold more
  // rows than expected. RESOURCE_EXHAUSTED if there is no room for it.
  absl::StatusOr<Rows> Take(int rows, int width, RowType type);

  // Blocks that Take allocated.
  int grown() const { return grown_; }

 private:
  struct Blocks;
  RowPool(Device device, std::size_t block_bytes);

  Device device_;
  std::size_t block_bytes_ = 0;
  int grown_ = 0;
  std::shared_ptr<Blocks> blocks_;  // Shared with the handles.
};

}  // namespace apollo::cuda
