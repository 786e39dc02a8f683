#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "kernels/cuda/memory.h"

namespace apollo::cuda {

// Memory of a device for one weight, aligned to 256 bytes: a part of a block,
// which lives as long as the last of its parts.
class WeightPart {
 public:
  // No memory.
  WeightPart() = default;
  // `bytes` bytes at `data`.
  WeightPart(std::shared_ptr<void> data, std::size_t bytes)
      : data_(std::move(data)), bytes_(bytes) {}

  std::size_t bytes() const { return bytes_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_.get());
  }

 private:
  std::shared_ptr<void> data_;
  std::size_t bytes_ = 0;
};

// The memory for the weights of a stage, in one block: the runtime rounds each
// allocation up (large ones to 2 MiB), which would add up to gigabytes for a
// model with thousands of matrices.
class WeightMemory {
 public:
  // `bytes`: the size of the block, which the first Take allocates: the sum of
  // all parts, each rounded up to a multiple of 256 (weight_bytes.h).
  explicit WeightMemory(std::size_t bytes) : block_bytes_(bytes) {}

  // Returns memory for `purpose`: the next part of the block, or a block of its
  // own if there is no room for it. RESOURCE_EXHAUSTED, with the sizes needed
  // and free, if there is none on the device.
  absl::StatusOr<WeightPart> Take(std::size_t bytes, std::string_view purpose);

 private:
  const std::size_t block_bytes_;
  std::shared_ptr<DeviceBuffer> block_;
  std::size_t taken_ = 0;
};

}  // namespace apollo::cuda
