#pragma once

#include <charconv>

namespace apollo {

// Converts a number that is exactly a float32 to the double with the shortest
// decimal representation of that: 1e-05, where widening gave
// 9.999999747378752e-06. Returns other numbers unchanged.
inline double ShortestDouble(double value) {
  if (static_cast<double>(static_cast<float>(value)) != value) return value;
  char digits[32];
  const auto written =
      std::to_chars(digits, digits + sizeof(digits), static_cast<float>(value));
  double shortest = value;
  std::from_chars(digits, written.ptr, shortest);
  return shortest;
}

}  // namespace apollo
