#pragma once

#include <absl/status/status.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/attention_plan.h"
#include "kernels/cuda/cache.h"
#include "kernels/cuda/types.h"

namespace apollo::cuda {

// Returns the bytes of a workspace with this many slots (AttentionPlan::slots).
std::size_t AttentionWorkspaceBytes(const HeadShape& shape, int slots);

struct Attention {
  HeadShape shape;
  const Bf16* q = nullptr;  // [rows, q_size]
  CacheLayer cache;
  const std::int32_t* tables = nullptr;  // Block tables of all sequences.
  const AttentionTask* tasks = nullptr;  // AttentionPlan::CopyTo
  int direct = 0;                        // Numbers of tasks.
  int split = 0;
  int merge = 0;
  float* workspace = nullptr;  // AttentionWorkspaceBytes
  Bf16* out = nullptr;         // [rows, q_size]
};

// out[r][h] = softmax(q[r][h] . K / sqrt(head_size)) V over the positions up to
// that of the row, rounded to bf16. Probabilities are rounded to bf16 for the
// product with V. Slots of a block beyond the last position of a slice may hold
// anything.
absl::Status Run(const Attention& attention, cudaStream_t stream);

// Raises the limits of shared memory. Call it once per device.
absl::Status PrepareAttention();

}  // namespace apollo::cuda
