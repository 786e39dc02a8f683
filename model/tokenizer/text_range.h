#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

namespace apollo {

// The bytes [begin, end) of a text.
struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;

  bool operator==(const TextRange&) const = default;
};

// Returns true if `range` has a byte in common with one of `ranges`, which must
// be ascending and disjoint.
inline bool Touches(std::span<const TextRange> ranges, TextRange range) {
  const auto next = std::partition_point(
      ranges.begin(), ranges.end(),
      [range](TextRange other) { return other.end <= range.begin; });
  return next != ranges.end() && next->begin < range.end;
}

}  // namespace apollo
