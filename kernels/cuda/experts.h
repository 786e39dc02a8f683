#pragma once

#include <absl/status/status.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/cuda/types.h"
#include "kernels/gate.h"

namespace apollo::cuda {

// Returns INVALID_ARGUMENT, with the numbers, unless experts <= 1024 and
// 1 <= top_k <= min(experts, 32).
absl::Status CheckGate(const GateOptions& options);

// Chooses the experts of rows as ChooseExperts (kernels/gate.h) does, from the
// logits x[r] . gate[e], in float32.
struct Gate {
  GateOptions options;
  const Bf16* x = nullptr;      // [rows, hidden]
  const float* gate = nullptr;  // [experts, hidden]
  int rows = 0;
  int hidden = 0;                        // A multiple of 8.
  const std::int32_t* pinned = nullptr;  // [rows]: an expert, or -1.
  std::int32_t* experts = nullptr;       // Result [rows, top_k].
  float* weights = nullptr;              // Result [rows, top_k].
  std::uint8_t* replaced = nullptr;      // Result [rows]: 1 if pinned replaced
                                         // another expert, else 0.
};
absl::Status Run(const Gate& gate, cudaStream_t stream);

// Groups assignments by expert, in their order. Assignment c < choices is
// choice c % top_k of row c / top_k. The following ones are the guests': guest
// g reads x row rows + g, where rows = choices / top_k.
struct GroupByExpert {
  const std::int32_t* experts = nullptr;  // [assignments]: an expert each.
  int assignments = 0;
  int choices = 0;  // At most assignments.
  int top_k = 1;
  int num_experts = 0;  // At most 1024.
  // [choices / top_k] or null: rows marked with 1 get no expert.
  const std::uint8_t* dropped = nullptr;
  std::int32_t* offsets = nullptr;  // Result [num_experts + 1].
  // Results [assignments]: for each position, the row of x and the assignment.
  std::int32_t* source = nullptr;
  std::int32_t* target = nullptr;
};
absl::Status Run(const GroupByExpert& group, cudaStream_t stream);

// hidden[r] += sum over j of weights[r][j] * outputs[r * top_k + j], in the
// order of j, and with a shared expert
// hidden[r] += sigmoid(shared_gate . x[r]) * shared[r].
struct CombineExperts {
  int rows = 0;
  int hidden = 0;  // A multiple of 8.
  int top_k = 0;
  const float* weights = nullptr;      // [rows, top_k]
  const float* outputs = nullptr;      // [rows * top_k, hidden]
  const float* shared = nullptr;       // [rows, hidden], or null: none.
  const float* shared_gate = nullptr;  // [hidden]
  const Bf16* x = nullptr;             // [rows, hidden]
  float* residual = nullptr;           // [rows, hidden]
};
absl::Status Run(const CombineExperts& combine, cudaStream_t stream);

}  // namespace apollo::cuda
