#pragma once

#include <cstdint>

#include "engine/expert_stage.h"

namespace apollo::cuda {

// The experts that the gate chose for the rows of a step, layer by layer, in
// host memory.
struct RoutingLog {
  int rows = 0;
  int top_k = 0;
  int experts = 0;
  int layers = 0;  // Sparse layers.
  // Layer l has its choices [rows, top_k] at choices + l * choice_stride, and
  // at replaced + l * row_stride [rows] a 1 for each row whose pinned expert
  // replaced one of the gate's choices.
  const std::int32_t* choices = nullptr;
  std::size_t choice_stride = 0;
  const std::uint8_t* replaced = nullptr;
  std::size_t row_stride = 0;
};

// Rows of a step whose use of experts is counted.
struct CountedRows {
  int first_row = 0;
  int rows = 0;
  int first_position = 0;  // In their sequence.
  int family = -1;         // The expert of the language family; -1: none.
  int layers = 0;          // Layers to count.
};

// Sets `layers`, `expert_use`, `off_family` and `use_by_block` of the outcome.
// Later layers than `counted.layers` are not read and count as zero.
void CountUse(const RoutingLog& log, const CountedRows& counted,
              SliceOutcome& outcome);

}  // namespace apollo::cuda
