#pragma once

#include <absl/status/status.h>

#include <bit>
#include <cstdint>
#include <span>

#include "model/safetensors/tensor_view.h"

namespace apollo {

// Between float32 and the two 16-bit formats, given as their bits. Widening is
// exact. Narrowing rounds to nearest, ties to even; values beyond the range
// become infinity, NaN stays NaN (made quiet), and small float16 values become
// subnormals or signed zero.

// bfloat16: the upper half of a float32.
inline float F32FromBF16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}
std::uint16_t BF16FromF32(float value);

// IEEE 754 binary16.
float F32FromF16(std::uint16_t bits);
std::uint16_t F16FromF32(float value);

// Widens a whole tensor. `out` has room for NumElements() floats.
// INVALID_ARGUMENT, naming file and tensor, for any dtype but F32, F16 and
// BF16.
absl::Status ToFloat32(const TensorView& tensor, float* out);

// Widens rows [first_row, first_row + num_rows) of a tensor of one or more
// dimensions; a row is everything below the first. OUT_OF_RANGE if there are
// not that many. `out` has room for num_rows x (NumElements() / shape[0])
// floats.
absl::Status RowsToFloat32(const TensorView& tensor, std::int64_t first_row,
                           std::int64_t num_rows, float* out);

// Writes `values` as little-endian elements of `dtype`, which is not kOther,
// into `out`, of values.size() x DTypeSize(dtype) bytes.
void FromFloat32(std::span<const float> values, DType dtype, std::uint8_t* out);

}  // namespace apollo
