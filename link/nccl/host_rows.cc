#include "link/nccl/host_rows.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "common/check.h"

namespace apollo {

float FromBf16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

float FromF16(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
  const std::uint32_t exponent = bits >> 10 & 0x1f;
  const std::uint32_t fraction = bits & 0x3ff;
  if (exponent == 0) {  // 0 or subnormal: fraction * 2^-24.
    const float value = std::ldexp(static_cast<float>(fraction), -24);
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
  }
  const std::uint32_t wide = exponent == 0x1f ? 0xff : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

Rows HostRows(std::span<const std::byte> bytes, int rows, int width,
              RowType type) {
  Rows out = Rows::Host(rows, width);
  const std::span<float> numbers = out.host();
  APOLLO_CHECK(bytes.size() == numbers.size() * BytesOf(type));
  if (bytes.empty()) return out;
  if (type == RowType::kF32) {
    std::memcpy(numbers.data(), bytes.data(), bytes.size());
    return out;
  }
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, bytes.data() + 2 * i, sizeof(bits));
    numbers[i] = type == RowType::kF16 ? FromF16(bits) : FromBf16(bits);
  }
  return out;
}

}  // namespace apollo
