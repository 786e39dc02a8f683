#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <vector>

namespace apollo::cuda {

// The choices of one expert that is not resident.
struct AbsentChoices {
  int expert = 0;
  // The position of the first one among all assignments grouped by expert, as
  // GroupByExpert (kernels/cuda/experts.h) orders them.
  int first = 0;
  // Ascending. Choice c belongs to row c / top_k.
  std::vector<std::int32_t> choices;
};

// Finds the choices of experts that are not resident, in the order of the
// experts, from a copy of the choices in host memory. Follows GroupByExpert.
// assignments: an expert each. The first `choices` are the step's, the others
// those of guests, which use resident experts only.
// dropped: [choices / top_k] or empty; rows marked with 1 get no expert.
std::vector<AbsentChoices> FindAbsent(std::span<const std::int32_t> assignments,
                                      int choices, int top_k, int num_experts,
                                      std::span<const std::uint8_t> dropped,
                                      const std::set<int>& resident);

}  // namespace apollo::cuda
