#include "kernels/packed_matrix.h"

#include <algorithm>
#include <cstring>

#include "common/check.h"
#include "kernels/half.h"
#include "kernels/quantize.h"

namespace apollo {
namespace {

constexpr int kPanel = PackedMatrix::kPanel;
constexpr int kWide = PackedMatrix::kQuantizedPanel;

std::size_t RoundUp(int value, int unit) {
  return static_cast<std::size_t>((value + unit - 1) / unit);
}

// Returns the index of a number in kF32 and kBF16.
std::size_t IndexF32(int output, int inputs, int i) {
  return (static_cast<std::size_t>(output / kPanel) * inputs + i) * kPanel +
         output % kPanel;
}
std::size_t IndexBf16(int output, int inputs, int i) {
  return ((output / kPanel * RoundUp(inputs, 2) + i / 2) * kPanel +
          output % kPanel) *
             2 +
         i % 2;
}

// Returns the offset in a block of an output's quad of inputs.
int QuadOffset(int quad, int output) {
  return (quad * kWide + output % kWide) * 4;
}

void PutF16(std::uint8_t* at, std::uint16_t bits) {
  std::memcpy(at, &bits, sizeof(bits));
}
std::uint16_t GetF16(const std::uint8_t* at) {
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof(bits));
  return bits;
}

// Returns the output's entry among a block's scales or minima, which begin at
// `first`.
template <typename Byte>
Byte* FieldAt(Byte* block, int first, int output) {
  return block + first + output % kWide * 2;
}

void PutGroup(const WeightGroup& group, int output, WeightFormat format,
              std::uint8_t* block) {
  switch (format) {
    case WeightFormat::kInt8:
      for (int i = 0; i < kGroup; ++i) {
        block[QuadOffset(i / 4, output) + i % 4] =
            static_cast<std::uint8_t>(group.w[i] + 128);
      }
      PutF16(FieldAt(block, kInt8Scales, output), group.scale);
      return;
    case WeightFormat::kInt4:
      for (int i = 0; i < kGroup / 2; ++i) {
        block[QuadOffset(i / 4, output) + i % 4] =
            static_cast<std::uint8_t>(group.w[i] | group.w[i + 16] << 4);
      }
      PutF16(FieldAt(block, kInt4Scales, output), group.scale);
      PutF16(FieldAt(block, kInt4Minima, output), group.minimum);
      return;
    case WeightFormat::kF32:
    case WeightFormat::kBF16:
      break;
  }
  NoSuchFormat();
}

WeightGroup GetGroup(const std::uint8_t* block, int output,
                     WeightFormat format) {
  WeightGroup group;
  switch (format) {
    case WeightFormat::kInt8:
      for (int i = 0; i < kGroup; ++i) {
        group.w[i] = static_cast<std::int8_t>(
            block[QuadOffset(i / 4, output) + i % 4] - 128);
      }
      group.scale = GetF16(FieldAt(block, kInt8Scales, output));
      return group;
    case WeightFormat::kInt4:
      for (int i = 0; i < kGroup / 2; ++i) {
        const std::uint8_t two = block[QuadOffset(i / 4, output) + i % 4];
        group.w[i] = static_cast<std::int8_t>(two & 15);
        group.w[i + 16] = static_cast<std::int8_t>(two >> 4);
      }
      group.scale = GetF16(FieldAt(block, kInt4Scales, output));
      group.minimum = GetF16(FieldAt(block, kInt4Minima, output));
      return group;
    case WeightFormat::kF32:
    case WeightFormat::kBF16:
      break;
  }
  NoSuchFormat();
}

}  // namespace

std::size_t PackedMatrix::Bytes(int outputs, int inputs, WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32:
      return RoundUp(outputs, kPanel) * kPanel * inputs * sizeof(float);
    case WeightFormat::kBF16:
      return RoundUp(outputs, kPanel) * kPanel * RoundUp(inputs, 2) * 2 *
             sizeof(std::uint16_t);
    case WeightFormat::kInt8:
    case WeightFormat::kInt4:
      return RoundUp(outputs, kWide) * RoundUp(inputs, kGroup) *
             BlockBytes(format);
  }
  NoSuchFormat();
}

PackedMatrix::PackedMatrix(int outputs, int inputs, WeightFormat format)
    : outputs_(outputs),
      inputs_(inputs),
      format_(format),
      buffer_(Bytes(outputs, inputs, format)),
      data_(buffer_.as<std::uint8_t>()) {
  APOLLO_CHECK(outputs > 0 && inputs > 0);
}

PackedMatrix PackedMatrix::View(int outputs, int inputs, WeightFormat format,
                                const void* data) {
  APOLLO_CHECK(outputs > 0 && inputs > 0 && data != nullptr);
  PackedMatrix matrix;
  matrix.outputs_ = outputs;
  matrix.inputs_ = inputs;
  matrix.format_ = format;
  matrix.data_ = static_cast<const std::uint8_t*>(data);
  return matrix;
}

const std::uint8_t* PackedMatrix::block(int output, int group) const {
  return data_ + (static_cast<std::size_t>(output / kWide) * groups() + group) *
                     BlockBytes(format_);
}

void PackedMatrix::SetRow(int output, const float* row) {
  std::uint8_t* data = buffer_.as<std::uint8_t>();
  switch (format_) {
    case WeightFormat::kF32:
      for (int i = 0; i < inputs_; ++i) {
        buffer_.as<float>()[IndexF32(output, inputs_, i)] = row[i];
      }
      return;
    case WeightFormat::kBF16:
      for (int i = 0; i < inputs_; ++i) {
        buffer_.as<std::uint16_t>()[IndexBf16(output, inputs_, i)] =
            Bf16BitsFromF32(row[i]);
      }
      return;
    case WeightFormat::kInt8:
    case WeightFormat::kInt4:
      break;
  }
  for (int g = 0; g < groups(); ++g) {
    const WeightGroup group = QuantizeGroup(
        row + g * kGroup, std::min(kGroup, inputs_ - g * kGroup), format_);
    PutGroup(group, output, format_, data + (block(output, g) - data_));
  }
}

void PackedMatrix::SetRows(int first, int count, const float* rows) {
  APOLLO_CHECK(first >= 0 && count >= 0 && first + count <= outputs_ &&
               buffer_.bytes() > 0);
  for (int r = 0; r < count; ++r) {
    SetRow(first + r, rows + static_cast<std::size_t>(r) * inputs_);
  }
}

void PackedMatrix::GetRow(int output, float* row) const {
  APOLLO_CHECK(output >= 0 && output < outputs_);
  switch (format_) {
    case WeightFormat::kF32:
      for (int i = 0; i < inputs_; ++i) {
        row[i] = f32()[IndexF32(output, inputs_, i)];
      }
      return;
    case WeightFormat::kBF16:
      for (int i = 0; i < inputs_; ++i) {
        row[i] = F32FromBf16Bits(bf16()[IndexBf16(output, inputs_, i)]);
      }
      return;
    case WeightFormat::kInt8:
    case WeightFormat::kInt4:
      break;
  }
  for (int g = 0; g < groups(); ++g) {
    const WeightGroup group = GetGroup(block(output, g), output, format_);
    const int count = std::min(kGroup, inputs_ - g * kGroup);
    for (int i = 0; i < count; ++i) {
      row[g * kGroup + i] = Dequantize(group, i, format_);
    }
  }
}

}  // namespace apollo
