#include "serving/dns_resolver.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "serving/dnsmasq.h"

namespace apollo {
namespace {

using Strings = std::vector<std::string>;
using testing::HasSubstr;

// Looks up at the server of the test, with the names of real calls.
class DnsResolverTest : public testing::Test {
 protected:
  absl::StatusOr<Strings> Addresses(const std::string& name) {
    return InTime([&] { return DnsResolver(dns_.address()).Addresses(name); });
  }
  absl::StatusOr<Strings> Services(const std::string& name) {
    return InTime([&] { return DnsResolver(dns_.address()).Services(name); });
  }
  // Looks up again if the server was late, as on a busy machine.
  template <typename LookUp>
  static absl::StatusOr<Strings> InTime(const LookUp& look_up) {
    absl::StatusOr<Strings> found = look_up();
    for (int i = 0;
         i < 20 && absl::StrContains(found.status().message(), "in time");
         ++i) {
      found = look_up();
    }
    return found;
  }

  Dnsmasq dns_ = Dnsmasq(
      "srv-host=_expert._tcp.workers.test,e0.test,7101\n"
      "srv-host=_expert._tcp.workers.test,e1.test,7102,1\n"
      "srv-host=_expert._tcp.workers.test,missing.test,7103\n"
      "srv-host=_none._tcp.workers.test,missing.test,7101\n"
      "cname=alias.test,e0.test\n"
      "txt-record=text.test,nothing\n");
};

TEST_F(DnsResolverTest, AllAddressesOfANameInAFixedOrder) {
  dns_.SetHosts(
      "10.0.0.3 w.test\nfd00::2 w.test\n10.0.0.1 w.test\n10.0.0.2 w.test\n");
  for (int i = 0; i < 5; ++i) {  // Each answer has another order.
    const auto found = Addresses("w.test");
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(*found,
              (Strings{"10.0.0.1", "10.0.0.2", "10.0.0.3", "[fd00::2]"}));
  }
  EXPECT_EQ(*Addresses("w.test."), *Addresses("W.test"));
}

TEST_F(DnsResolverTest, OneFamilyIsEnough) {
  dns_.SetHosts("fd00::2 six.test\n10.0.0.1 four.test\n");
  EXPECT_EQ(*Addresses("six.test"), Strings{"[fd00::2]"});
  EXPECT_EQ(*Addresses("four.test"), Strings{"10.0.0.1"});
}

TEST_F(DnsResolverTest, AChangeIsSeenAtOnce) {
  dns_.SetHosts("10.0.0.1 w.test\n");
  EXPECT_EQ(*Addresses("w.test"), Strings{"10.0.0.1"});
  dns_.SetHosts("10.0.0.2 w.test\n");
  EXPECT_EQ(*Addresses("w.test"), Strings{"10.0.0.2"});
  dns_.SetHosts("");
  EXPECT_TRUE(absl::IsNotFound(Addresses("w.test").status()));
}

// Such an answer does not fit into a datagram, and comes by TCP.
TEST_F(DnsResolverTest, ALongAnswerIsComplete) {
  std::string hosts;
  for (int i = 0; i < 300; ++i) {
    absl::StrAppend(&hosts, "10.0.", i / 100, ".", i % 100, " w.test\n");
  }
  dns_.SetHosts(hosts);
  const auto found = Addresses("w.test");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->size(), 300u);
}

TEST_F(DnsResolverTest, ANameWithoutAddressesIsNotFound) {
  dns_.SetHosts("10.0.0.1 e0.test\n");
  for (const char* name : {"missing.test", "text.test", "a.b.c.test"}) {
    EXPECT_TRUE(absl::IsNotFound(Addresses(name).status())) << name;
  }
  EXPECT_EQ(*Addresses("alias.test"), Strings{"10.0.0.1"});
}

TEST_F(DnsResolverTest, AServerThatRefusesSaysNothingAboutTheName) {
  for (const char* name : {"elsewhere.example", "w.test.example"}) {
    EXPECT_TRUE(absl::IsUnavailable(Addresses(name).status()))
        << Addresses(name).status();
    EXPECT_TRUE(absl::IsUnavailable(Services(name).status()));
  }
  dns_.Stop();
  const absl::Status down = Addresses("w.test").status();
  EXPECT_TRUE(absl::IsUnavailable(down)) << down;
  EXPECT_EQ(down, Addresses("other.test").status());  // So it is logged once.
}

TEST_F(DnsResolverTest, TheRecordsOfAServiceHaveTheirOwnPorts) {
  dns_.SetHosts("10.0.0.1 e0.test\n10.0.0.2 e1.test\nfd00::2 e1.test\n");
  const auto found = Services("_expert._tcp.workers.test");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found,
            (Strings{"10.0.0.1:7101", "10.0.0.2:7102", "[fd00::2]:7102"}));
  for (const char* name : {"_none._tcp.workers.test", "e0.test"}) {
    EXPECT_TRUE(absl::IsNotFound(Services(name).status())) << name;
  }
}

TEST(DnsResolverWithoutServerTest, ASilentServerEndsTheLookUp) {
  const int silent = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(silent, any, size), 0);
  ASSERT_EQ(getsockname(silent, any, &size), 0);
  const DnsResolver resolver(
      absl::StrCat("127.0.0.1:", ntohs(address.sin_port)));
  const absl::Status status = resolver.Addresses("w.test").status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("in time"));
  close(silent);
}

TEST(DnsResolverWithoutServerTest, NamesAndServersAreChecked) {
  for (const char* name : {"a", "expert-workers.apollo.svc.cluster.local",
                           "a.b.", "_grpc._tcp.workers", "10.0.0.1.example"}) {
    EXPECT_TRUE(DnsResolver::CheckName(name).ok()) << name;
  }
  const std::string label(64, 'a');
  for (const std::string& name :
       {std::string(), std::string("."), std::string("a..b"),
        std::string("a b"), std::string("a,b"), std::string("10.0.0.1"),
        std::string("[::1]"), std::string("a/b"), label,
        absl::StrCat(std::string(130, '.'), label)}) {
    const absl::Status status = DnsResolver::CheckName(name);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
  for (const char* server : {"10.0.0.1:53", "[::1]:5353"}) {
    EXPECT_TRUE(DnsResolver::CheckServer(server).ok()) << server;
  }
  for (const char* server :
       {"", "10.0.0.1", "10.0.0.1:0", "localhost:53", "::1:53", "[::1]"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(DnsResolver::CheckServer(server)))
        << server;
  }
}

}  // namespace
}  // namespace apollo
