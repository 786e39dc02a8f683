#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace apollo {

// IPv4 addresses are numbers in the byte order of this machine.

// Returns the destination of a packet; nothing unless it is one of IPv4.
std::optional<std::uint32_t> DestinationOf(std::string_view packet);

// Returns an address as text, such as "10.77.0.1".
std::string AddressText(std::uint32_t address);

}  // namespace apollo
