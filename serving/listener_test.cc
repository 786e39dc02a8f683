#include "serving/listener.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/temp_folder.h"
#include "serving/tcp_client.h"

namespace apollo {
namespace {

TEST(ListenerTest, PortZeroTakesAFreePort) {
  const auto first = ListenOn("127.0.0.1:0", absl::Seconds(1));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->sockets.size(), 1u);
  EXPECT_GT(first->port, 0);
  const std::string address = absl::StrCat("127.0.0.1:", first->port);
  const auto second = ListenOn(address, absl::Seconds(1));
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  const std::string message(second.status().message());
  EXPECT_NE(message.find(address), std::string::npos) << message;
  EXPECT_NE(message.find("in use"), std::string::npos) << message;
  EXPECT_EQ(message.find(": :"), std::string::npos) << message;
}

TEST(ListenerTest, LongAndShortTimesAreKept) {
  for (const absl::Duration time :
       {absl::InfiniteDuration(), absl::Hours(24 * 365),
        absl::Microseconds(1)}) {
    const auto listener = ListenOn("127.0.0.1:0", time);
    ASSERT_TRUE(listener.ok()) << listener.status();
    int milliseconds = 0;
    socklen_t size = sizeof(milliseconds);
    ASSERT_EQ(getsockopt(listener->sockets.front().get(), IPPROTO_TCP,
                         TCP_USER_TIMEOUT, &milliseconds, &size),
              0);
    EXPECT_GT(milliseconds, 0);
  }
}

TEST(ListenerTest, ANameListensOnAllItsAddressesWithOnePort) {
  const auto listener = ListenOn("localhost:0", absl::Seconds(1));
  ASSERT_TRUE(listener.ok()) << listener.status();
  ASSERT_GE(listener->sockets.size(), 1u);
  EXPECT_GT(listener->port, 0);
  for (const FileDescriptor& socket : listener->sockets) {
    sockaddr_in6 bound = {};  // Its port is where that of IPv4 is.
    socklen_t size = sizeof(bound);
    ASSERT_EQ(
        getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &size),
        0);
    EXPECT_EQ(ntohs(bound.sin6_port), listener->port);
  }
}

// /etc/hosts may say so.
TEST(ListenerTest, AnAddressThatComesTwiceIsUsedOnce) {
  for (const bool free_port : {true, false}) {
    // For a fixed port, one that was free just now.
    int port = 0;
    if (!free_port) {
      const auto other = ListenOn("127.0.0.1:0", absl::Seconds(1));
      ASSERT_TRUE(other.ok()) << other.status();
      port = other->port;
    }
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    sockaddr_in same = address;
    addrinfo second = {};
    second.ai_family = AF_INET;
    second.ai_socktype = SOCK_STREAM;
    second.ai_addrlen = sizeof(same);
    second.ai_addr = reinterpret_cast<sockaddr*>(&same);
    addrinfo first = second;
    first.ai_addr = reinterpret_cast<sockaddr*>(&address);
    first.ai_next = &second;
    const auto listener = ListenOnAll(&first, "name", absl::Seconds(1));
    ASSERT_TRUE(listener.ok()) << listener.status();
    EXPECT_EQ(listener->sockets.size(), 1u);
  }
}

TEST(ListenerTest, TheWildcardOfIPv6ServesIPv4Too) {
  const auto listener = ListenOn("[::]:0", absl::Seconds(1));
  if (!listener.ok()) GTEST_SKIP() << "no IPv6 here: " << listener.status();
  const TcpClient client(absl::StrCat("127.0.0.1:", listener->port));
  EXPECT_TRUE(client.ok());
}

TEST(ListenerTest, AUnixSocketListensUntilItsEnd) {
  const TempFolder temp;
  const std::string& folder = temp.path();
  const std::string path = folder + "/grpc:7.sock";
  {
    const auto listener = ListenOn("unix:" + path, absl::Seconds(1));
    ASSERT_TRUE(listener.ok()) << listener.status();
    EXPECT_EQ(listener->sockets.size(), 1u);
    EXPECT_EQ(listener->port, 0);
    EXPECT_TRUE(std::filesystem::is_socket(path));
    EXPECT_EQ(ListenOn("unix:" + path, absl::Seconds(1)).status().code(),
              absl::StatusCode::kUnavailable);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ListenerTest, AnInvalidAddressIsNamed) {
  for (const char* address :
       {"", "localhost", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536",
        "127.0.0.1:-1", "unix:relative"}) {
    const auto listener = ListenOn(address, absl::Seconds(1));
    EXPECT_EQ(listener.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(
        listener.status().message().find('"' + std::string(address) + '"'),
        std::string::npos)
        << listener.status();
  }
}

}  // namespace
}  // namespace apollo
