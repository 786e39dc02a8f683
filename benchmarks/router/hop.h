#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <vector>

namespace apollo::load {

// Measures the seconds from a write in one thread to the read in another,
// through a TCP connection on this machine, for `count` bytes at a given pace.
// This is the time that the system takes to wake a sleeping reader, and the
// minimum that a router can add to a token. Blocks until done. Returns
// UNAVAILABLE if the connection cannot be established.
absl::StatusOr<std::vector<double>> MeasureHop(int count,
                                               std::chrono::microseconds pace);

}  // namespace apollo::load
