#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/cuda/batch_plan.h"
#include "engine/cuda/device_batch.h"
#include "engine/cuda/sparse_sizes.h"
#include "kernels/cuda/memory.h"
#include "kernels/cuda/sampling.h"
#include "kernels/cuda/types.h"

namespace apollo::cuda {

// The memory that a step of an expert stage uses from its first layer to its
// last, reused from step to step. Uninitialized. Arrays of rows have room for
// the guests of a piece after the last row of the step.
struct StepMemory {
  static std::size_t Bytes(const SparseSizes& sizes, const BatchLimits& limits,
                           int rows);
  // Allocates the memory for steps of up to `rows` rows (rounded up to whole
  // pieces) on the current device. RESOURCE_EXHAUSTED if there is no room.
  static absl::StatusOr<std::unique_ptr<StepMemory>> Allocate(
      const SparseSizes& sizes, const BatchLimits& limits, int rows);

  int rows = 0;  // Capacity.

  // In device memory.
  float* residual = nullptr;         // [rows, hidden]
  Bf16* normed = nullptr;            // [rows + guests, hidden]
  float* outputs = nullptr;          // [rows * top_k + guests, hidden]
  float* weights = nullptr;          // [rows, top_k], of the current layer.
  std::int32_t* choices = nullptr;   // [layers, rows, top_k], then guests.
  std::uint8_t* replaced = nullptr;  // [layers, rows]
  std::int32_t* pinned = nullptr;    // [rows]: an expert, or -1.
  std::uint8_t* dropped = nullptr;   // [rows]: 1 in failed slices.
  std::int32_t* source = nullptr;    // [rows * top_k + guests]
  std::int32_t* target = nullptr;    // [rows * top_k + guests]
  std::int32_t* scatter = nullptr;   // [rows * top_k]: choices of absent rows.
  std::int32_t* offsets = nullptr;   // [pieces, offset_stride]
  std::size_t offset_stride = 0;
  std::vector<BatchMemory> batches;  // [pieces]

  // In page-locked host memory.
  std::int32_t* host_choices = nullptr;   // [layers, rows, top_k]
  std::uint8_t* host_replaced = nullptr;  // [layers, rows]
  SampleResult* results = nullptr;        // [2 * rows]

 private:
  std::size_t DivideDevice(const SparseSizes& sizes, std::byte* memory);
  std::size_t DivideHost(const SparseSizes& sizes, std::byte* memory);

  DeviceBuffer device_memory_;
  PinnedBuffer host_memory_;
};

}  // namespace apollo::cuda
