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

// To a whole number, ties to even: at 1.5 * 2^23 a float32 has no fraction.
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
  const bool int8 = format == WeightFormat::kInt8;
  float minimum = 0, range;
  if (int8) {
    range = std::max(-low, high) / 127.0f;
  } else {
    group.minimum = F16BitsAtMost(low);
    minimum = F32FromF16Bits(group.minimum);
    range = (high - minimum) / 15.0f;
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
    group.w[i] = static_cast<std::int8_t>(int8 ? std::clamp(w, -127.0f, 127.0f)
                                               : std::clamp(w, 0.0f, 15.0f));
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
      break;
  }
  return kLargestF16;
}

float Dequantize(const WeightGroup& group, int i, WeightFormat format) {
  const float product =
      static_cast<float>(group.w[i]) * F32FromF16Bits(group.scale);
  return format == WeightFormat::kInt8
             ? product
             : product + F32FromF16Bits(group.minimum);
}

void RoundRow(float* row, int size, WeightFormat format) {
  for (int first = 0; first < size; first += kGroup) {
    const int count = std::min(kGroup, size - first);
    const WeightGroup group = QuantizeGroup(row + first, count, format);
    for (int i = 0; i < count; ++i)
      row[first + i] = Dequantize(group, i, format);
  }
}

}  // namespace apollo
