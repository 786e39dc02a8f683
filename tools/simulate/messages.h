#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "tools/simulate/time.h"

namespace apollo::simulate {

// The rows of one sequence in a step.
struct RowSlice {
  std::uint64_t sequence = 0;
  int attempt = 0;
  int family = -1;
  int rows = 0;
  bool samples = false;  // A token is sampled after the last row.
  bool failed = false;   // Set in the answer: an expert was out of reach.
};

// The part of a dense worker's step that goes to one expert worker.
struct StepPart {
  int dense = 0;           // Index of the dense worker.
  std::uint64_t step = 0;  // 0: rows sent again, outside of steps.
  std::vector<RowSlice> slices;

  int rows() const {
    int sum = 0;
    for (const RowSlice& slice : slices) sum += slice.rows;
    return sum;
  }
};

// Rows for an expert that another worker computes.
struct Guests {
  int from = 0;  // Index of the expert worker that waits for them.
  std::uint64_t batch = 0;
  int layer = 0;
  int expert = 0;
  int rows = 0;
};

}  // namespace apollo::simulate
