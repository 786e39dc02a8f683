#pragma once

#include <absl/status/status.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "engine/cuda/device_weights.h"
#include "kernels/cuda/types.h"

// The experts of a layer, on rows that are grouped by expert on the device.
namespace apollo::cuda {

// Rows and their experts, in device memory. The `rows` rows of a step have
// `top_k` assignments each, and are followed by `guests` rows of other workers
// with one assignment each.
struct GroupedRows {
  int rows = 0;
  int top_k = 1;
  int guests = 0;
  const Bf16* x = nullptr;                // [rows + guests, hidden]
  const std::int32_t* experts = nullptr;  // [assignments()]
  const std::uint8_t* dropped = nullptr;  // As in GroupByExpert.
  std::int32_t* offsets = nullptr;        // Results of GroupByExpert.
  std::int32_t* source = nullptr;         // [assignments()]
  std::int32_t* target = nullptr;         // [assignments()]
  float* outputs = nullptr;               // [assignments(), hidden]

  int choices() const { return rows * top_k; }
  int assignments() const { return choices() + guests; }
};

// Enqueues the grouping of the rows by their experts.
absl::Status Group(const GroupedRows& rows, int num_experts,
                   cudaStream_t stream);

// Enqueues the resident experts for grouped rows. The outputs of other
// assignments are not written. active: scratch memory [assignments, inner].
absl::Status RunExperts(const DeviceExperts& experts, int num_experts,
                        const GroupedRows& rows, Bf16* active,
                        cudaStream_t stream);

}  // namespace apollo::cuda
