#include "tests/faults/network/ipv4.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

// A header of IPv4, from 10.77.0.1 to 10.77.0.2, and one byte.
const std::string kPacket(
    "\x45\x00\x00\x15\x00\x00\x40\x00\x40\x06\x00\x00"
    "\x0a\x4d\x00\x01\x0a\x4d\x00\x02x",
    21);

TEST(IPv4Test, ReadsTheDestination) {
  const auto address = DestinationOf(kPacket);
  ASSERT_TRUE(address);
  EXPECT_EQ(AddressText(*address), "10.77.0.2");
}

TEST(IPv4Test, OtherPacketsHaveNone) {
  EXPECT_FALSE(DestinationOf(""));
  EXPECT_FALSE(DestinationOf(std::string_view(kPacket).substr(0, 19)));
  std::string of_ipv6(40, '\0');
  of_ipv6[0] = 0x60;
  EXPECT_FALSE(DestinationOf(of_ipv6));
}

}  // namespace
}  // namespace apollo
