#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <random>

namespace apollo {

// The harm that a Wire does. A default one does none.
struct WireFaults {
  bool cut = false;  // Every packet is lost.
  absl::Duration delay = absl::ZeroDuration();
  double loss = 0;  // Probability that a packet is lost.
};

// One direction between two nodes of a Network. Single-threaded.
class Wire {
 public:
  // `seed`: of the losses.
  explicit Wire(std::uint64_t seed)
      : random_(static_cast<std::minstd_rand::result_type>(seed)) {}

  // Returns when a packet that is sent at `now` arrives; nothing if it is lost.
  std::optional<absl::Duration> Arrival(absl::Duration now);

  WireFaults faults;

 private:
  std::minstd_rand random_;
};

}  // namespace apollo
