#pragma once

#include <cstdint>
#include <span>

#include "tools/upcycle/ggml_type.h"

namespace apollo {

// Dequantizes stored blocks. `type` must be readable; `blocks`, at any
// alignment, holds a whole number of blocks; `out` has room for block_elements
// floats per block. Each value is computed in float32 in the order of the
// formulas in the .cc file, so the result is the same on every machine.
void Dequantize(const GgmlType& type, std::span<const std::uint8_t> blocks,
                float* out);

}  // namespace apollo
