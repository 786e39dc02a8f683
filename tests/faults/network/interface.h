#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>

namespace apollo {

// Interfaces of the network namespace that the calling thread is in.

// The network 10.77.0.0/24, and the address of its first node.
inline constexpr std::uint32_t kNetworkAddress = 10u << 24 | 77u << 16;
inline constexpr std::uint32_t kNetworkMask = ~std::uint32_t{255};
inline constexpr std::uint32_t kFirstAddress = kNetworkAddress + 1;
inline constexpr int kMostNodes = 254;

// Makes the loopback usable, which is down in a new namespace.
absl::Status BringUpLoopback();

// Makes a TUN interface with an address of the network, and returns a
// non-blocking descriptor, which the caller owns: from it come the IP packets
// that the namespace sends, and those that are written to it arrive there. The
// interface ends with the descriptor. Errors name the step that failed.
absl::StatusOr<int> MakeInterface(std::uint32_t address);

}  // namespace apollo
