#pragma once

#include <cstdint>
#include <span>

#include "tools/upcycle/ggml_type.h"

namespace apollo {

// Turns stored blocks into floats. `type` is readable, `blocks` (at any
// address) holds a whole number of blocks, and `out` has block_elements floats
// for each. Each value is computed in float32 in the order that the formulas in
// the .cc file show, so the result is the same everywhere.
void Dequantize(const GgmlType& type, std::span<const std::uint8_t> blocks,
                float* out);

}  // namespace apollo
