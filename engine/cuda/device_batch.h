#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>

#include "engine/cuda/batch_plan.h"
#include "engine/cuda/stage_device.h"
#include "kernels/cuda/attention_plan.h"
#include "kernels/cuda/cache.h"
#include "kernels/cuda/memory.h"

namespace apollo::cuda {

// The rows of a step on the device. The addresses are those of a BatchMemory.
struct DeviceBatch {
  int rows = 0;
  const std::int32_t* positions = nullptr;  // [rows]
  const std::int32_t* slots = nullptr;      // [rows]
  const std::int32_t* tables = nullptr;     // As AttentionTask::table counts.
  const AttentionTask* tasks = nullptr;     // Direct, split and merge tasks.
  int direct = 0;                           // Numbers of tasks.
  int split = 0;
  int merge = 0;
  const float* angles = nullptr;  // [rows, head_size], of the rotation.
};

// Device memory for one DeviceBatch at a time, of any plan within limits. The
// work of a step that uses it must be enqueued before the next Set.
class BatchMemory {
 public:
  BatchMemory() = default;

  // Returns the size of the memory, which is also a bound of what Set copies.
  static std::size_t Bytes(const BatchLimits& limits, int head_size);
  static absl::StatusOr<BatchMemory> Allocate(const BatchLimits& limits,
                                              int head_size);

  // Enqueues the copy of a plan to the device, and the computation of its
  // angles. The result is valid until the next Set.
  DeviceBatch Set(const BatchPlan& plan, const RotaryFrequencies& frequencies,
                  StageDevice& device);

 private:
  BatchLimits limits_;
  int head_size_ = 0;
  DeviceBuffer memory_;
};

}  // namespace apollo::cuda
