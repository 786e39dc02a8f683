#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <optional>

namespace apollo {

// The two directions of a connection through a Proxy: from the client that
// opened it to the target, and back.
enum class Way { kToTarget = 0, kToClient = 1 };
inline constexpr int kWays = 2;

// The harm that a Proxy does. A default one does none.
struct ProxyFaults {
  // Nothing is read: bytes wait with their sender, as in a network that loses
  // every packet of this direction, and are delivered later.
  bool held[kWays] = {false, false};
  // Time that each piece of data takes, in each direction.
  absl::Duration delay = absl::ZeroDuration();
  // Probability that a piece of data is lost. TCP sends it again, so it and all
  // that follow it arrive kRetransmission later.
  double loss = 0;
  // Closes the connection after this many further bytes of a direction.
  std::optional<std::int64_t> bytes_left[kWays];
  // Resets new connections.
  bool refusing = false;
};

// The least time after which Linux sends a lost segment again.
inline constexpr absl::Duration kRetransmission = absl::Milliseconds(200);

}  // namespace apollo
