#include "serving/listener.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <string>

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
}

TEST(ListenerTest, ANameListensOnAllItsAddressesWithOnePort) {
  const auto listener = ListenOn("localhost:0", absl::Seconds(1));
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_GE(listener->sockets.size(), 1u);
  EXPECT_GT(listener->port, 0);
}

TEST(ListenerTest, TheWildcardOfIPv6ServesIPv4Too) {
  const auto listener = ListenOn("[::]:0", absl::Seconds(1));
  if (!listener.ok()) GTEST_SKIP() << "no IPv6 here: " << listener.status();
  const TcpClient client(absl::StrCat("127.0.0.1:", listener->port));
  EXPECT_TRUE(client.ok());
}

TEST(ListenerTest, AnInvalidAddressIsNamed) {
  for (const char* address : {"", "localhost", "127.0.0.1:", "127.0.0.1:http",
                              "127.0.0.1:65536", "127.0.0.1:-1"}) {
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
