#pragma once

#include <compare>
#include <cstdint>

namespace apollo {

using SequenceId = std::uint64_t;

// The place of a sequence among those of a scheduler; smaller is better.
struct SequenceRank {
  int lowness = 0;  // Negated level: see Scheduler.
  // Order of first admission. Before it, order of arrival, behind all of these.
  std::uint64_t number = 0;
  SequenceId id = 0;
  auto operator<=>(const SequenceRank&) const = default;
};

}  // namespace apollo
