#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/rows.h"

namespace apollo {

// Returns the number that 16 bits mean; exact.
float FromF16(std::uint16_t bits);
float FromBf16(std::uint16_t bits);

// Returns float32 rows with the numbers of `bytes`, which are of `type`:
// rows * width of them.
Rows HostRows(std::span<const std::byte> bytes, int rows, int width,
              RowType type);

}  // namespace apollo
