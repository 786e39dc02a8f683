#pragma once

#include <cstdint>

#include "kernels/packed_matrix.h"
#include "kernels/weight_format.h"

namespace apollo {

// Bytes of a panel's block for one group, and what is where in it.
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

// One group of one output.
struct WeightGroup {
  std::int8_t w[kGroup] = {};  // int8: -127..127; int4: 0..15.
  std::uint16_t scale = 0;     // f16
  std::uint16_t minimum = 0;   // f16, int4 only.
};

// Rounds `count` (up to 32) weights to kInt8 or kInt4. int8: scale is the least
// f16 from max|x| / 127 on, so that no number is cut off. int4: minimum is the
// largest f16 up to min(x), and scale the least from (max(x) - minimum) / 15
// on. (Each up to 2^-20 less, so that numbers that already are whole multiples
// of an f16 stay exactly what they are in spite of a rounded division.) The
// rest of the group is zero, or in int4 what is next to zero. A group that is
// not finite, or beyond what an f16 scale can say (see LargestWeight), becomes
// NaN.
//
// Every number is at most half a scale away. Scales and minima are multiples of
// 2^-24, the least f16, so that a scale is up to 2^-24 more than it need be,
// and numbers below 2^-25 become zero.
WeightGroup QuantizeGroup(const float* x, int count, WeightFormat format);

// The largest size of a number that the format can hold whatever is beside it:
// 127 * 65504 in kInt8, 65504, the largest f16, in kInt4.
float LargestWeight(WeightFormat format);

// Number `i` of the group.
float Dequantize(const WeightGroup& group, int i, WeightFormat format);

// Rounds a row of `size` numbers to the format and back, in place: what GetRow
// of a matrix gives after SetRows.
void RoundRow(float* row, int size, WeightFormat format);

}  // namespace apollo
