#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tools/simulate/time.h"

namespace apollo::simulate {

// The links of processes to the network: each sends one message after the
// other, and a message arrives after the latency. Single-threaded.
class Wires {
 public:
  Wires(std::size_t processes, double latency, double bytes_per_second)
      : latency_(FromSeconds(latency)),
        nanoseconds_per_byte_(1e9 / bytes_per_second),
        free_at_(processes) {}

  // Returns the time at which a message that `process` sends at `now` arrives.
  Time Arrival(std::size_t process, Time now, std::int64_t bytes) {
    Time& free_at = free_at_[process];
    if (free_at < now) free_at = now;
    free_at +=
        static_cast<Time>(static_cast<double>(bytes) * nanoseconds_per_byte_);
    bytes_ += bytes;
    return free_at + latency_;
  }

  std::int64_t bytes() const { return bytes_; }

 private:
  const Time latency_;
  const double nanoseconds_per_byte_;
  std::vector<Time> free_at_;
  std::int64_t bytes_ = 0;
};

}  // namespace apollo::simulate
