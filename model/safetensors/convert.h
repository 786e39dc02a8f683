#pragma once

#include <absl/status/status.h>

#include <bit>
#include <cstdint>
#include <span>

#include "model/safetensors/tensor_view.h"

namespace apollo {

// Conversions between float32 and the bits of the two 16-bit formats. Widening
// is exact. Narrowing rounds to nearest, ties to even; out-of-range values
// become infinity, NaN becomes a quiet NaN, and small float16 values become
// subnormals or signed zero.

// bfloat16: the upper half of a float32.
inline float F32FromBF16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}
std::uint16_t BF16FromF32(float value);

// IEEE 754 binary16.
float F32FromF16(std::uint16_t bits);
std::uint16_t F16FromF32(float value);

// Widens a whole tensor to `out`, which must have room for NumElements()
// floats. Returns INVALID_ARGUMENT, naming file and tensor, unless the dtype is
// F32, F16 or BF16.
absl::Status ToFloat32(const TensorView& tensor, float* out);

// Widens rows [first_row, first_row + num_rows) along the first dimension of a
// tensor. `out` must have room for num_rows x (NumElements() / shape[0])
// floats. Returns OUT_OF_RANGE if the tensor has fewer rows.
absl::Status RowsToFloat32(const TensorView& tensor, std::int64_t first_row,
                           std::int64_t num_rows, float* out);

// Writes `values` as little-endian elements of `dtype`, which must not be
// kOther, to `out` of values.size() x DTypeSize(dtype) bytes.
void FromFloat32(std::span<const float> values, DType dtype, std::uint8_t* out);

}  // namespace apollo
