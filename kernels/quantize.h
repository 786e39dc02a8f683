#pragma once

#include <cstdint>

#include "kernels/packed_matrix.h"
#include "kernels/weight_format.h"

namespace apollo {

// Sizes and offsets, in bytes, of a panel's block for one group.
inline constexpr int kInt8Scales = 8 * 32 * 4;
inline constexpr int kInt8Block = kInt8Scales + 32 * 2;
inline constexpr int kInt4Scales = 4 * 32 * 4;
inline constexpr int kInt4Minima = kInt4Scales + 32 * 2;
inline constexpr int kInt4Block = kInt4Minima + 32 * 2;

inline constexpr int BlockBytes(WeightFormat format) {
  return PackedMatrix::kQuantizedPanel * InfoOf(format).group_bytes;
}
static_assert(BlockBytes(WeightFormat::kInt8) == kInt8Block);
static_assert(BlockBytes(WeightFormat::kInt4) == kInt4Block);

// A quantized group of one output.
struct WeightGroup {
  std::int8_t w[kGroup] = {};  // int8: -127..127; int4: 0..15.
  std::uint16_t scale = 0;     // f16
  std::uint16_t minimum = 0;   // f16, int4 only.
};

// Rounds `count` (up to 32) weights to kInt8 or kInt4.
// - int8: scale is the smallest f16 not below max|x| / 127, so no number is
//   clipped.
// - int4: minimum is the largest f16 not above min(x), and scale the smallest
//   f16 not below (max(x) - minimum) / 15.
//
// These bounds are relaxed by up to 2^-20 (relative), so that exact multiples
// of an f16 stay exact in spite of a rounded division. The rest of the group is
// zero, or the value nearest to zero in int4. A group with a number that is not
// finite, or out of range of an f16 scale (see LargestWeight), becomes NaN.
//
// The error is at most half a scale. Scales and minima are multiples of 2^-24,
// the smallest f16. A scale therefore exceeds its optimum by up to 2^-24, and
// numbers below 2^-25 become zero.
WeightGroup QuantizeGroup(const float* x, int count, WeightFormat format);

// Returns the largest magnitude that the format can store next to any other
// values: 127 * 65504 in kInt8, and 65504, the largest f16, in kInt4.
float LargestWeight(WeightFormat format);

// Returns number `i` of the group.
float Dequantize(const WeightGroup& group, int i, WeightFormat format);

// Rounds a row of `size` numbers to the format and back, in place. Equals
// SetRows followed by GetRow.
void RoundRow(float* row, int size, WeightFormat format);

}  // namespace apollo
