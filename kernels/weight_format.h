#pragma once

#include <cstddef>

#include "common/check.h"

// A switch over formats says what it does for each of them, without a default:
// one that leaves a format out does not build, in any file that sees this.
#pragma GCC diagnostic error "-Wswitch"

namespace apollo {

// How the numbers of a weight matrix are stored. kInt8 and kInt4: whole numbers
// in groups of inputs of one output, with a scale, and in int4 a minimum, of
// each group in f16 (docs/kernels.md).
enum class WeightFormat { kF32, kBF16, kInt8, kInt4 };

// Facts about a format that hold on every device. How numbers lie in memory is
// the matter of a device (packed_matrix.h).
struct WeightFormatInfo {
  WeightFormat format;
  const char* name;   // For --weights, packed files and tables.
  int group;          // Inputs of an output that share scale and minimum.
  int group_bytes;    // A group's numbers, scale and minimum together.
  WeightFormat head;  // Format of the embedding and the head beside it.
};

// The only list of formats, in the order of the enum.
inline constexpr WeightFormatInfo kWeightFormats[] = {
    {WeightFormat::kF32, "float32", 1, 4, WeightFormat::kF32},
    {WeightFormat::kBF16, "bf16", 1, 2, WeightFormat::kBF16},
    {WeightFormat::kInt8, "int8", 32, 32 + 2, WeightFormat::kInt8},
    // Rounding the head to int4 costs more than all other matrices together.
    {WeightFormat::kInt4, "int4", 32, 16 + 2 + 2, WeightFormat::kInt8},
};

constexpr const WeightFormatInfo& InfoOf(WeightFormat format) {
  return kWeightFormats[static_cast<std::size_t>(format)];
}

// Inputs of a group in every format that has groups.
inline constexpr int kGroup = 32;

// True if numbers are whole numbers with scales.
constexpr bool IsQuantized(WeightFormat format) {
  return InfoOf(format).group > 1;
}

constexpr double BitsPerWeight(WeightFormat format) {
  return 8.0 * InfoOf(format).group_bytes / InfoOf(format).group;
}

// Ends the process: for what follows a switch over all formats.
[[noreturn]] inline void NoSuchFormat() {
  APOLLO_CHECK(false);
  __builtin_unreachable();
}

}  // namespace apollo
