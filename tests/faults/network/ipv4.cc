#include "tests/faults/network/ipv4.h"

#include <absl/strings/str_cat.h>
#include <netinet/in.h>
#include <netinet/ip.h>

#include <cstring>

namespace apollo {

std::optional<std::uint32_t> DestinationOf(std::string_view packet) {
  iphdr header;
  if (packet.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, packet.data(), sizeof(header));
  if (header.version != 4) return std::nullopt;
  return ntohl(header.daddr);
}

std::string AddressText(std::uint32_t address) {
  return absl::StrCat(address >> 24, ".", address >> 16 & 255, ".",
                      address >> 8 & 255, ".", address & 255);
}

}  // namespace apollo
