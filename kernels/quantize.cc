#include "kernels/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/half.h"

namespace apollo {
namespace {

// See QuantizeGroup.
constexpr float kLess = 1.0f - 0x1p-20f;
constexpr std::uint16_t kF16NaN = 0x7e00;

// Rounds to an integer, ties to even: a float32 from 1.5 * 2^23 on has no
// fraction.
float ToNearest(float x) { return (x + 0x1.8p23f) - 0x1.8p23f; }

}  // namespace

WeightGroup QuantizeGroup(const float* x, int count, WeightFormat format) {
  WeightGroup group;
  float low = 0, high = 0;
  bool finite = true;
  if (count > 0) low = high = x[0];
  for (int i = 0; i < count; ++i) {
    finite = finite && std::isfinite(x[i]);
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  float minimum = 0, range = 0, least = 0, most = 0;
  switch (format) {
    case WeightFormat::kInt8:
      range = std::max(-low, high) / 127.0f;
      least = -127.0f;
      most = 127.0f;
      break;
    case WeightFormat::kInt4:
      group.minimum = F16BitsAtMost(low);
      minimum = F32FromF16Bits(group.minimum);
      range = (high - minimum) / 15.0f;
      most = 15.0f;
      break;
    case WeightFormat::kF32:
    case WeightFormat::kBF16:
      NoSuchFormat();
  }
  group.scale = F16BitsFromZero(range * kLess);
  const float scale = F32FromF16Bits(group.scale);
  if (!finite || !std::isfinite(scale) || !std::isfinite(minimum)) {
    group.scale = kF16NaN;
    return group;
  }
  if (scale == 0) return group;
  for (int i = 0; i < kGroup; ++i) {
    const float value = i < count ? x[i] : 0.0f;
    const float w = ToNearest((value - minimum) / scale);
    group.w[i] = static_cast<std::int8_t>(std::clamp(w, least, most));
  }
  return group;
}

float LargestWeight(WeightFormat format) {
  constexpr float kLargestF16 = 65504;
  switch (format) {
    case WeightFormat::kF32:
      return std::numeric_limits<float>::max();
    case WeightFormat::kBF16:
      return 0x1.fep127f;
    case WeightFormat::kInt8:
      return 127 * kLargestF16;
    case WeightFormat::kInt4:
      return kLargestF16;
  }
  NoSuchFormat();
}

float Dequantize(const WeightGroup& group, int i, WeightFormat format) {
  const float product =
      static_cast<float>(group.w[i]) * F32FromF16Bits(group.scale);
  switch (format) {
    case WeightFormat::kInt8:
      return product;
    case WeightFormat::kInt4:
      return product + F32FromF16Bits(group.minimum);
    case WeightFormat::kF32:
    case WeightFormat::kBF16:
      break;
  }
  NoSuchFormat();
}

void RoundRow(float* row, int size, WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32:
      return;
    case WeightFormat::kBF16:
      for (int i = 0; i < size; ++i) {
        row[i] = F32FromBf16Bits(Bf16BitsFromF32(row[i]));
      }
      return;
    case WeightFormat::kInt8:
    case WeightFormat::kInt4:
      break;
  }
  for (int first = 0; first < size; first += kGroup) {
    const int count = std::min(kGroup, size - first);
    const WeightGroup group = QuantizeGroup(row + first, count, format);
    for (int i = 0; i < count; ++i)
      row[first + i] = Dequantize(group, i, format);
  }
}

}  // namespace apollo
