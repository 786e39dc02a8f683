#include "engine/cuda/step_memory.h"

#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "engine/cuda/memory_layout.h"

namespace apollo::cuda {

std::size_t StepMemory::DivideDevice(const SparseSizes& sizes,
                                     std::byte* memory) {
  const auto count = static_cast<std::size_t>(rows);
  const auto hidden = static_cast<std::size_t>(sizes.hidden);
  const std::size_t choice_count = count * sizes.top_k;
  const std::size_t assignments = choice_count + sizes.piece_rows;
  offset_stride = RoundUp(sizes.experts + 1, SparseSizes::kRowUnit);
  MemoryLayout layout(memory);
  residual = layout.Array<float>(count * hidden);
  normed = layout.Array<Bf16>((count + sizes.piece_rows) * hidden);
  outputs = layout.Array<float>(assignments * hidden);
  weights = layout.Array<float>(choice_count);
  choices = layout.Array<std::int32_t>(choice_count * sizes.layers +
                                       sizes.piece_rows);
  replaced = layout.Array<std::uint8_t>(count * sizes.layers);
  pinned = layout.Array<std::int32_t>(count);
  dropped = layout.Array<std::uint8_t>(count);
  source = layout.Array<std::int32_t>(assignments);
  target = layout.Array<std::int32_t>(assignments);
  scatter = layout.Array<std::int32_t>(choice_count);
  offsets =
      layout.Array<std::int32_t>(count / sizes.piece_rows * offset_stride);
  return layout.bytes();
}

std::size_t StepMemory::DivideHost(const SparseSizes& sizes,
                                   std::byte* memory) {
  const auto count = static_cast<std::size_t>(rows);
  MemoryLayout layout(memory);
  host_choices = layout.Array<std::int32_t>(count * sizes.top_k * sizes.layers);
  host_replaced = layout.Array<std::uint8_t>(count * sizes.layers);
  // A row has at most one target, and the last one of a slice may be sampled.
  results = layout.Array<SampleResult>(2 * count);
  return layout.bytes();
}

std::size_t StepMemory::Bytes(const SparseSizes& sizes,
                              const BatchLimits& limits, int rows) {
  StepMemory memory;
  memory.rows = RoundUp(rows, sizes.piece_rows);
  return memory.DivideDevice(sizes, nullptr) +
         memory.rows / sizes.piece_rows *
             BatchMemory::Bytes(limits, sizes.head_size);
}

absl::StatusOr<std::unique_ptr<StepMemory>> StepMemory::Allocate(
    const SparseSizes& sizes, const BatchLimits& limits, int rows) {
  APOLLO_CHECK(rows >= 1 && sizes.piece_rows % SparseSizes::kRowUnit == 0);
  auto memory = std::make_unique<StepMemory>();
  memory->rows = RoundUp(rows, sizes.piece_rows);
  ASSIGN_OR_RETURN(
      memory->device_memory_,
      AllocateDevice(memory->DivideDevice(sizes, nullptr), "a step"));
  ASSIGN_OR_RETURN(
      memory->host_memory_,
      AllocatePinned(memory->DivideHost(sizes, nullptr), "a step"));
  memory->DivideDevice(sizes, memory->device_memory_.as<std::byte>());
  memory->DivideHost(sizes, memory->host_memory_.as<std::byte>());
  for (int i = 0; i < memory->rows / sizes.piece_rows; ++i) {
    ASSIGN_OR_RETURN(BatchMemory batch,
                     BatchMemory::Allocate(limits, sizes.head_size));
    memory->batches.push_back(std::move(batch));
  }
  return memory;
}

}  // namespace apollo::cuda
