#include "engine/cuda/device_batch.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/status_macros.h"
#include "engine/cuda/memory_layout.h"

namespace apollo::cuda {
namespace {

// The arrays of a batch. Those that are copied from the host come first.
struct Arrays {
  Arrays(std::byte* memory, std::size_t row_count, std::size_t table_count,
         std::size_t task_count, int head_size) {
    MemoryLayout layout(memory);
    tasks = layout.Array<AttentionTask>(task_count);
    positions = layout.Array<std::int32_t>(row_count);
    slots = layout.Array<std::int32_t>(row_count);
    tables = layout.Array<std::int32_t>(table_count);
    copied_bytes = layout.bytes();
    angles =
        layout.Array<float>(row_count * static_cast<std::size_t>(head_size));
    bytes = layout.bytes();
  }

  AttentionTask* tasks;
  std::int32_t* positions;
  std::int32_t* slots;
  std::int32_t* tables;
  float* angles;
  std::size_t copied_bytes;
  std::size_t bytes;
};

}  // namespace

std::size_t BatchMemory::Bytes(const BatchLimits& limits, int head_size) {
  return Arrays(nullptr, static_cast<std::size_t>(limits.rows), limits.tables(),
                limits.tasks(), head_size)
      .bytes;
}

absl::StatusOr<BatchMemory> BatchMemory::Allocate(const BatchLimits& limits,
                                                  int head_size) {
  BatchMemory memory;
  memory.limits_ = limits;
  memory.head_size_ = head_size;
  ASSIGN_OR_RETURN(memory.memory_,
                   AllocateDevice(Bytes(limits, head_size), "a batch"));
  return memory;
}

DeviceBatch BatchMemory::Set(const BatchPlan& plan,
                             const RotaryFrequencies& frequencies,
                             StageDevice& device) {
  const AttentionPlan& attention = plan.attention;
  APOLLO_CHECK(plan.rows() > 0 && plan.rows() <= limits_.rows);
  APOLLO_CHECK(plan.tables.size() <= limits_.tables());
  APOLLO_CHECK(attention.size() <= limits_.tasks());
  const auto arrays_at = [&](std::byte* memory) {
    return Arrays(memory, plan.positions.size(), plan.tables.size(),
                  attention.size(), head_size_);
  };
  const Arrays on_device = arrays_at(memory_.as<std::byte>());
  std::vector<std::byte> host(on_device.copied_bytes);
  const Arrays on_host = arrays_at(host.data());
  attention.CopyTo(on_host.tasks);
  std::copy(plan.positions.begin(), plan.positions.end(), on_host.positions);
  std::copy(plan.slots.begin(), plan.slots.end(), on_host.slots);
  std::copy(plan.tables.begin(), plan.tables.end(), on_host.tables);
  device.UploadTo(memory_.as<void>(), host.data(), host.size());
  device.Check(RotaryAngles(on_device.positions, plan.rows(), frequencies,
                            head_size_, on_device.angles, device.stream()));
  DeviceBatch batch;
  batch.rows = plan.rows();
  batch.positions = on_device.positions;
  batch.slots = on_device.slots;
  batch.tables = on_device.tables;
  batch.tasks = on_device.tasks;
  batch.direct = static_cast<int>(attention.direct.size());
  batch.split = static_cast<int>(attention.split.size());
  batch.merge = static_cast<int>(attention.merge.size());
  batch.angles = on_device.angles;
  return batch;
}

}  // namespace apollo::cuda
