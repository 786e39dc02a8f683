#pragma once

#include <absl/status/statusor.h>

#include <chrono>
#include <vector>

namespace apollo::load {

// Seconds from one thread's write to another thread's read of it, through a TCP
// connection of this machine, for `count` bytes at a pace: what the system
// takes to wake a sleeping reader. No router can add less to a token. Blocks
// until it is done. UNAVAILABLE if there is no such connection to be had.
absl::StatusOr<std::vector<double>> MeasureHop(int count,
                                               std::chrono::microseconds pace);

}  // namespace apollo::load
