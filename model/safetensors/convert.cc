#include "model/safetensors/convert.h"

#include <absl/strings/str_cat.h>

#include <cmath>
#include <cstddef>
#include <cstring>

#include "common/check.h"

namespace apollo {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors data is little-endian and used in place");

std::uint16_t Load16(const std::uint8_t* bytes) {
  std::uint16_t bits;
  std::memcpy(&bits, bytes, sizeof(bits));
  return bits;
}

// Widens `bytes`, which may be unaligned. `dtype` must not be kOther.
void Widen(const std::uint8_t* bytes, std::size_t count, DType dtype,
           float* out) {
  switch (dtype) {
    case DType::kF32:
      if (count > 0) std::memcpy(out, bytes, count * sizeof(float));
      return;
    case DType::kF16:
      for (std::size_t i = 0; i < count; ++i) {
        out[i] = F32FromF16(Load16(bytes + 2 * i));
      }
      return;
    case DType::kBF16:
      for (std::size_t i = 0; i < count; ++i) {
        out[i] = F32FromBF16(Load16(bytes + 2 * i));
      }
      return;
    case DType::kOther:
      break;
  }
  APOLLO_CHECK(false);
}

absl::Status CheckUsable(const TensorView& tensor) {
  if (tensor.dtype != DType::kOther) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(tensor.Where(), ": dtype ", tensor.dtype_name,
                   " cannot be used; F32, F16 and BF16 can"));
}

}  // namespace

std::uint16_t BF16FromF32(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  // Adds just under one half, and the rest of it if the result would otherwise
  // be odd. A carry out of the mantissa correctly increments the exponent.
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float F32FromF16(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits} >> 15 << 31;
  const std::uint32_t exponent = bits >> 10 & 0x1f;
  const std::uint32_t mantissa = bits & 0x3ff;
  if (exponent == 0) {  // Zero or subnormal: mantissa x 2^-24, exact in float.
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  // 112 is the difference between the exponent biases, 127 and 15.
  const std::uint32_t widened = exponent == 0x1f ? 0xff : exponent + 112;
  return std::bit_cast<float>(sign | widened << 23 | mantissa << 13);
}

std::uint16_t F16FromF32(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 31 << 15);
  const std::uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) {  // NaN
    return static_cast<std::uint16_t>(sign | 0x7e00 |
                                      (magnitude >> 13 & 0x3ff));
  }
  if (magnitude >= 0x47800000) return sign | 0x7c00;  // From 2^16: infinity.
  if (magnitude < 0x38800000) {  // Below 2^-14: a subnormal, in units of 2^-24.
    // nearbyint rounds ties to even in the default mode; the scaling is exact.
    const float units =
        std::nearbyint(std::bit_cast<float>(magnitude) * 0x1p24f);
    return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(units));
  }
  const std::uint32_t rebased = magnitude - (std::uint32_t{112} << 23);
  const std::uint32_t rounded = rebased + 0xfff + (rebased >> 13 & 1);
  return static_cast<std::uint16_t>(sign | rounded >> 13);
}

absl::Status ToFloat32(const TensorView& tensor, float* out) {
  if (absl::Status usable = CheckUsable(tensor); !usable.ok()) return usable;
  Widen(tensor.data.data(), tensor.data.size() / DTypeSize(tensor.dtype),
        tensor.dtype, out);
  return absl::OkStatus();
}

absl::Status RowsToFloat32(const TensorView& tensor, std::int64_t first_row,
                           std::int64_t num_rows, float* out) {
  if (absl::Status usable = CheckUsable(tensor); !usable.ok()) return usable;
  const std::int64_t rows = tensor.shape.empty() ? 0 : tensor.shape[0];
  if (first_row < 0 || num_rows < 0 || first_row > rows ||
      num_rows > rows - first_row) {
    return absl::OutOfRangeError(absl::StrCat(
        tensor.Where(), ": ", num_rows, " rows from ", first_row,
        " were requested; the shape is ", ShapeToString(tensor.shape)));
  }
  if (num_rows == 0) return absl::OkStatus();
  const auto row_bytes = tensor.data.size() / static_cast<std::size_t>(rows);
  const auto count = row_bytes / DTypeSize(tensor.dtype);
  Widen(tensor.data.data() + row_bytes * static_cast<std::size_t>(first_row),
        count * static_cast<std::size_t>(num_rows), tensor.dtype, out);
  return absl::OkStatus();
}

void FromFloat32(std::span<const float> values, DType dtype,
                 std::uint8_t* out) {
  APOLLO_CHECK(dtype != DType::kOther);
  if (values.empty()) return;
  if (dtype == DType::kF32) {
    std::memcpy(out, values.data(), values.size_bytes());
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t bits =
        dtype == DType::kF16 ? F16FromF32(values[i]) : BF16FromF32(values[i]);
    std::memcpy(out + 2 * i, &bits, sizeof(bits));
  }
}

}  // namespace apollo
