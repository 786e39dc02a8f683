#pragma once

#include <bit>
#include <cstdint>

// Conversions of IEEE 754 binary16 ("f16") and bfloat16 bit patterns.
namespace apollo {

inline float F32FromBf16Bits(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

// Rounds to nearest, ties to even. NaN stays NaN.
inline std::uint16_t Bf16BitsFromF32(float value) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  }
  bits += 0x7fffu + ((bits >> 16) & 1u);
  return static_cast<std::uint16_t>(bits >> 16);
}

inline float F32FromF16Bits(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits} >> 15 << 31;
  const std::uint32_t exponent = bits >> 10 & 0x1f;
  const std::uint32_t mantissa = bits & 0x3ff;
  if (exponent == 0) {  // Zero or subnormal, in units of 2^-24.
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  // 112 is the difference of the two exponent biases, 127 and 15.
  const std::uint32_t widened = exponent == 0x1f ? 0xff : exponent + 112;
  return std::bit_cast<float>(sign | widened << 23 | mantissa << 13);
}

// Rounds to nearest, ties to even. Finite values saturate at 65504. NaN stays
// NaN. Branch-free, so that loops vectorize.
inline std::uint16_t F16BitsFromF32(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 31 << 15;
  std::uint32_t magnitude = bits & 0x7fffffff;
  const std::uint32_t special =
      magnitude > 0x7f800000 ? 0x7e00u : 0x7c00u;  // NaN or infinity.
  const bool is_special = magnitude >= 0x7f800000;
  // 65504 is the largest f16.
  magnitude = magnitude > 0x477fe000 ? 0x477fe000 : magnitude;
  const std::uint32_t normal =
      (magnitude + 0xfff + (magnitude >> 13 & 1) - (112u << 23)) >> 13;
  // Below 2^-14, in units of 2^-24: the last bit of a float from 0.5 to 1.
  const std::uint32_t small =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) -
      0x3f000000;
  const std::uint32_t finite = magnitude < 0x38800000 ? small : normal;
  return static_cast<std::uint16_t>(sign | (is_special ? special : finite));
}

// Rounds to f16 towards zero. Returns infinity from 65536 and NaN for NaN.
inline std::uint16_t F16BitsTowardsZero(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 31 << 15);
  const std::uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;   // NaN
  if (magnitude >= 0x47800000) return sign | 0x7c00;  // From 2^16.
  if (magnitude < 0x38800000) {  // Below 2^-14: in units of 2^-24.
    return sign | static_cast<std::uint16_t>(std::bit_cast<float>(magnitude) *
                                             0x1p24f);
  }
  return sign | static_cast<std::uint16_t>(
                    (magnitude - (std::uint32_t{112} << 23)) >> 13);
}

// Rounds to f16 away from zero. Returns infinity beyond 65504.
inline std::uint16_t F16BitsFromZero(float value) {
  const std::uint16_t bits = F16BitsTowardsZero(value);
  if ((bits & 0x7c00) == 0x7c00) return bits;
  return F32FromF16Bits(bits) == value ? bits : bits + 1;
}

// Returns the largest f16 that is not above `value`.
inline std::uint16_t F16BitsAtMost(float value) {
  return value < 0 ? F16BitsFromZero(value) : F16BitsTowardsZero(value);
}

}  // namespace apollo
