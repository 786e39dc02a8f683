#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/block_pool.h"
#include "kernels/cuda/attention_plan.h"

// What a device needs to know about the rows of a step, prepared on the host.
// Needs no CUDA.
namespace apollo::cuda {

// Consecutive rows of one sequence in a step.
struct BatchSlice {
  // Holds blocks for positions 0..first_position + rows - 1. Read only during
  // the call of PlanBatch.
  const BlockTable* blocks = nullptr;
  int first_position = 0;
  int rows = 0;  // At least 1.
};

// Slices are contiguous: row r of the batch is row r - (rows of the preceding
// slices) of its slice.
struct BatchPlan {
  std::vector<std::int32_t> positions;  // [rows]
  std::vector<std::int32_t> slots;      // [rows]: SlotOf their positions.
  std::vector<std::int32_t> tables;     // The block tables of all slices.
  AttentionPlan attention;

  int rows() const { return static_cast<int>(positions.size()); }
};

// Returns the slot of a position: block * kBlockTokens + position within it.
std::int32_t SlotOf(const BlockTable& blocks, int position);

// Plans a step with `group` query heads per kv head and a workspace of
// `max_slots` slots for attention.
BatchPlan PlanBatch(std::span<const BatchSlice> slices, int group,
                    int max_slots);

// Upper bounds of plans.
struct BatchLimits {
  int rows = 0;
  int blocks = 0;     // Of one sequence.
  int group = 0;      // Query heads per kv head.
  int max_slots = 0;  // As for PlanBatch.

  std::size_t tables() const {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(blocks);
  }
  std::size_t tasks() const;
};

}  // namespace apollo::cuda
