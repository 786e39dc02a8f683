#pragma once

#include <cmath>
#include <cstdint>

namespace apollo::simulate {

// Simulated time and durations, in nanoseconds. Integers, so that the order of
// events does not depend on rounding.
using Time = std::int64_t;

inline Time FromSeconds(double seconds) {
  return static_cast<Time>(std::llround(seconds * 1e9));
}
inline double ToSeconds(Time time) { return static_cast<double>(time) * 1e-9; }

}  // namespace apollo::simulate
