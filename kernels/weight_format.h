#pragma once

#include <cstddef>

#include "common/check.h"

// Switches over formats list every format and have no default, so that a switch
// which misses a format does not compile in any file that includes this one.
#pragma GCC diagnostic error "-Wswitch"

namespace apollo {

// Storage format of a weight matrix. kInt8 and kInt4 store integers in groups
// of inputs of one output. Each group has an f16 scale, and in int4 an f16
// minimum (docs/kernels.md).
enum class WeightFormat { kF32, kBF16, kInt8, kInt4 };

// Properties of a format that hold on every device. The memory layout is
// specific to a device (packed_matrix.h).
struct WeightFormatInfo {
  WeightFormat format;
  const char* name;   // For --weights, packed files and tables.
  int group;          // Inputs of an output that share a scale and a minimum.
  int group_bytes;    // Bytes of a group's numbers, scale and minimum.
  WeightFormat head;  // Format of the embedding and the head.
};

// All formats, in the order of the enum.
inline constexpr WeightFormatInfo kWeightFormats[] = {
    {WeightFormat::kF32, "float32", 1, 4, WeightFormat::kF32},
    {WeightFormat::kBF16, "bf16", 1, 2, WeightFormat::kBF16},
    {WeightFormat::kInt8, "int8", 32, 32 + 2, WeightFormat::kInt8},
    // Rounding the head to int4 would cost more accuracy than all other
    // matrices.
    {WeightFormat::kInt4, "int4", 32, 16 + 2 + 2, WeightFormat::kInt8},
};

constexpr const WeightFormatInfo& InfoOf(WeightFormat format) {
  return kWeightFormats[static_cast<std::size_t>(format)];
}

// Group size of all quantized formats.
inline constexpr int kGroup = 32;

// Returns true for formats of integers with scales.
constexpr bool IsQuantized(WeightFormat format) {
  return InfoOf(format).group > 1;
}

constexpr double BitsPerWeight(WeightFormat format) {
  return 8.0 * InfoOf(format).group_bytes / InfoOf(format).group;
}

// Ends the process. Belongs after a switch over all formats.
[[noreturn]] inline void NoSuchFormat() {
  APOLLO_CHECK(false);
  __builtin_unreachable();
}

}  // namespace apollo
