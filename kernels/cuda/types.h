#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/weight_format.h"

// Operations of the layers on NVIDIA GPUs of compute capability 8.0 or higher.
// These rules hold for every operation in this folder:
//
// - Pointers are addresses in the memory of the current device, contiguous and
//   aligned to 16 bytes, unless a comment says otherwise. The caller keeps the
//   memory alive and unchanged until the stream has passed the operation.
// - An operation only enqueues kernels. It neither allocates nor waits, so it
//   can be captured in a graph. It returns INTERNAL if the launch failed; later
//   faults are reported by the next synchronisation.
// - Shapes that an operation cannot do are refused by its Check function, at
//   load time. Calling the operation with such a shape breaks an invariant.
// - The residual stream is float32. Operands of matrix products are bf16: the
//   producer rounds each once, to nearest even. Sums are float32.
// - The result of a row depends only on the row itself (with attention, also on
//   the keys and values it attends to): not on other rows, on their number, or
//   on the division of a prompt into chunks, bit by bit.
// - Operations of one stream may be called by one thread at a time.
namespace apollo::cuda {

// The bit pattern of a bf16 number.
using Bf16 = std::uint16_t;

// A packed weight matrix in device memory (packed_weights.h).
struct DeviceMatrix {
  const void* data = nullptr;
  int outputs = 0;
  int inputs = 0;
  WeightFormat format = WeightFormat::kBF16;
  bool paired = false;
};

}  // namespace apollo::cuda
