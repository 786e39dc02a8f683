#include "kernels/packed_matrix.h"

#include <bit>

#include "common/check.h"

namespace apollo {
namespace {

std::uint16_t RoundToBf16(float value) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {  // NaN stays NaN.
    return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  }
  bits += 0x7fffu + ((bits >> 16) & 1u);  // To nearest, ties to even.
  return static_cast<std::uint16_t>(bits >> 16);
}

float FromBf16(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

std::size_t NumberSize(WeightFormat format) {
  return format == WeightFormat::kF32 ? sizeof(float) : sizeof(std::uint16_t);
}

}  // namespace

PackedMatrix::PackedMatrix(int outputs, int inputs, WeightFormat format)
    : outputs_(outputs),
      inputs_(inputs),
      format_(format),
      data_(static_cast<std::size_t>((outputs + kPanel - 1) / kPanel) * kPanel *
            inputs * NumberSize(format)) {
  APOLLO_CHECK(outputs > 0 && inputs > 0);
}

void PackedMatrix::SetRows(int first, int count, const float* rows) {
  APOLLO_CHECK(first >= 0 && count >= 0 && first + count <= outputs_);
  for (int r = 0; r < count; ++r) {
    const std::size_t base = static_cast<std::size_t>((first + r) / kPanel) *
                                 inputs_ * kPanel +
                             (first + r) % kPanel;
    const float* row = rows + static_cast<std::size_t>(r) * inputs_;
    if (format_ == WeightFormat::kF32) {
      float* out = data_.as<float>() + base;
      for (int i = 0; i < inputs_; ++i) out[i * kPanel] = row[i];
    } else {
      std::uint16_t* out = data_.as<std::uint16_t>() + base;
      for (int i = 0; i < inputs_; ++i) out[i * kPanel] = RoundToBf16(row[i]);
    }
  }
}

void PackedMatrix::GetRow(int output, float* row) const {
  APOLLO_CHECK(output >= 0 && output < outputs_);
  const std::size_t base =
      static_cast<std::size_t>(output / kPanel) * inputs_ * kPanel +
      output % kPanel;
  for (int i = 0; i < inputs_; ++i) {
    row[i] = format_ == WeightFormat::kF32 ? f32()[base + i * kPanel]
                                           : FromBf16(bf16()[base + i * kPanel]);
  }
}

}  // namespace apollo
